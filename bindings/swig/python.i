/* Python: what scout/_native.abi3.so speaks. The package in bindings/python is its only user.
 *
 *   status           int when 0 or positive; a failure raises what scout._errors.make(status, message) makes
 *   text, ids in     bytes (ids as native int32); pixels and files of pictures and clips too
 *   text, ids out    give the capacity; comes back as (status, bytes, needed); pixels too
 *   handles out      an opaque object, or None
 *   events           a scout.Event with everything copied; the status where there is none
 *   score blocks     one tuple; the logits as an address, for a view without copying
 *
 * Everything used is in the limited API of Python 3.9. */

/* The interpreter's lock is released where a call may take long or wait, and kept in the getters and setters. */
%feature("nothread");
%define SCOUT_LONG(name) %feature("nothread", "0") name; %enddef
SCOUT_LONG(scout_load)
SCOUT_LONG(scout_load_start)
SCOUT_LONG(scout_operation_wait)
SCOUT_LONG(scout_operation_free)
SCOUT_LONG(scout_free)
SCOUT_LONG(scout_model_get_info)
SCOUT_LONG(scout_model_kv_bytes)
SCOUT_LONG(scout_encode)
SCOUT_LONG(scout_count_tokens)
SCOUT_LONG(scout_decode)
SCOUT_LONG(scout_chat_new)
SCOUT_LONG(scout_chat_add)
SCOUT_LONG(scout_chat_add_text)
SCOUT_LONG(scout_chat_add_answer)
SCOUT_LONG(scout_chat_tokens)
SCOUT_LONG(scout_chat_free)
SCOUT_LONG(scout_generate)
SCOUT_LONG(scout_prompt_tokens)
SCOUT_LONG(scout_prompt_expand)
SCOUT_LONG(scout_generate_text)
SCOUT_LONG(scout_request_next)
SCOUT_LONG(scout_request_cancel)
SCOUT_LONG(scout_request_ids)
SCOUT_LONG(scout_request_free)
SCOUT_LONG(scout_engine_new)
SCOUT_LONG(scout_engine_free)
SCOUT_LONG(scout_submit)
SCOUT_LONG(scout_submit_tokens)
SCOUT_LONG(scout_submit_text)
SCOUT_LONG(scout_model_engine)
SCOUT_LONG(scout_engine_wake)
SCOUT_LONG(scout_image_from_pixels)
SCOUT_LONG(scout_image_from_bytes)
SCOUT_LONG(scout_image_from_file)
SCOUT_LONG(scout_image_tile)
SCOUT_LONG(scout_image_tokens)
SCOUT_LONG(scout_image_free)
SCOUT_LONG(scout_chat_add_image)
SCOUT_LONG(scout_video_open)
SCOUT_LONG(scout_video_from_bytes)
SCOUT_LONG(scout_video_next)
SCOUT_LONG(scout_video_cancel)
SCOUT_LONG(scout_video_free)
SCOUT_LONG(scout_chat_add_video)
SCOUT_LONG(scout_chat_add_frame)
SCOUT_LONG(scout_log_next)
SCOUT_LONG(scout_engine_next)
SCOUT_LONG(scout_engine_step)
SCOUT_LONG(scout_engine_get_stats)
SCOUT_LONG(scout_score)
SCOUT_LONG(scout_scores_next)
SCOUT_LONG(scout_scores_cancel)
SCOUT_LONG(scout_scores_free)

/* Events and blocks come as tuples. */
%ignore scout_event;
%ignore scout_score_block;

%{
/* Raises the package's exception for a failure. The message is this thread's last one: the call that failed was made on it. */
static void raise_status(int32_t status, const char *message) {
  PyObject *text = PyUnicode_DecodeUTF8(message, (Py_ssize_t)strlen(message), "replace");
  PyObject *module = text == NULL ? NULL : PyImport_ImportModule("scout._errors");
  PyObject *error = module == NULL ? NULL : PyObject_CallMethod(module, "make", "iO", (int)status, text);
  if (error != NULL) PyErr_SetObject((PyObject *)Py_TYPE(error), error);
  Py_XDECREF(error);
  Py_XDECREF(module);
  Py_XDECREF(text);
}

static PyObject *bytes_of(const void *data, uint64_t count, size_t width) {
  if (data == NULL) Py_RETURN_NONE;
  return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)(count * width));
}

/* Text of the library is valid UTF-8; "replace" only so that a defect there could not become an exception in the middle of a stream. */
static PyObject *text_of(const char *text, uint64_t size) { return PyUnicode_DecodeUTF8(text, (Py_ssize_t)size, "replace"); }

static PyObject *list_of_int32(const int32_t *ids, uint64_t count) {
  PyObject *list = PyTuple_New((Py_ssize_t)count);
  uint64_t i;
  if (list == NULL) return NULL;
  for (i = 0; i < count; ++i) {
    PyObject *item = PyLong_FromLong(ids[i]);
    if (item == NULL || PyTuple_SetItem(list, (Py_ssize_t)i, item) != 0) {
      Py_DECREF(list);
      return NULL;
    }
  }
  return list;
}

static PyObject *list_of_float(const float *values, uint64_t count) {
  PyObject *list;
  uint64_t i;
  if (values == NULL) Py_RETURN_NONE;
  list = PyTuple_New((Py_ssize_t)count);
  if (list == NULL) return NULL;
  for (i = 0; i < count; ++i) {
    PyObject *item = PyFloat_FromDouble((double)values[i]);
    if (item == NULL || PyTuple_SetItem(list, (Py_ssize_t)i, item) != 0) {
      Py_DECREF(list);
      return NULL;
    }
  }
  return list;
}

/* [rows] of [(id, logprob), ...] */
static PyObject *tops_of(const scout_event *event) {
  PyObject *rows;
  uint64_t i, j;
  if (event->top_ids == NULL) Py_RETURN_NONE;
  rows = PyTuple_New((Py_ssize_t)event->id_count);
  for (i = 0; rows != NULL && i < event->id_count; ++i) {
    PyObject *row = PyTuple_New((Py_ssize_t)event->top_count);
    for (j = 0; row != NULL && j < event->top_count; ++j) {
      const uint64_t at = i * event->top_count + j;
      PyObject *pair = Py_BuildValue("(if)", (int)event->top_ids[at], event->top_logprobs[at]);
      if (pair == NULL || PyTuple_SetItem(row, (Py_ssize_t)j, pair) != 0) {
        Py_DECREF(row);
        row = NULL;
      }
    }
    if (row == NULL || PyTuple_SetItem(rows, (Py_ssize_t)i, row) != 0) {
      Py_DECREF(rows);
      rows = NULL;
    }
  }
  return rows;
}

/* scout.Event, a tuple with names: made here, as every step of a copy costs a stream on caches that the model has just swept. */
static PyObject *event_type = NULL;
enum { EVENT_FIELDS = 14 };

static void set_event_type(PyObject *type) {
  Py_INCREF(type);
  Py_XDECREF(event_type);
  event_type = type;
}

/* New. In the order of scout.Event. */
static PyObject *object_of_event(const scout_event *event) {
  PyObject *const made = PyType_GenericAlloc((PyTypeObject *)event_type, EVENT_FIELDS);
  PyObject *const fields[EVENT_FIELDS] = {text_of(event->text, event->text_size),
                                          list_of_int32(event->ids, event->id_count),
                                          list_of_float(event->logprobs, event->id_count),
                                          tops_of(event),
                                          PyLong_FromLong(event->stop),
                                          PyLong_FromUnsignedLongLong(event->tag),
                                          text_of(event->message, event->message_size),
                                          PyLong_FromLong(event->status),
                                          PyLong_FromLongLong(event->prompt_tokens),
                                          PyLong_FromLongLong(event->cached_tokens),
                                          PyLong_FromLongLong(event->generated_tokens),
                                          PyFloat_FromDouble(event->queue_ms),
                                          PyFloat_FromDouble(event->prefill_ms),
                                          PyFloat_FromDouble(event->decode_ms)};
  int i, good = made != NULL;
  for (i = 0; i < EVENT_FIELDS; ++i) {
    if (fields[i] == NULL) good = 0;
    if (made == NULL) {
      Py_XDECREF(fields[i]);
    } else if (PyTuple_SetItem(made, i, fields[i]) != 0) {
      good = 0;
    }
  }
  if (good) return made;
  Py_XDECREF(made);
  return NULL;
}

static PyObject *tuple_of_block(const scout_score_block *block) {
  if (block == NULL) Py_RETURN_NONE;
  return Py_BuildValue("(KNNNK)", (unsigned long long)block->count, bytes_of(block->positions, block->count, sizeof(int64_t)),
                       bytes_of(block->logprobs, block->count, sizeof(float)), PyLong_FromVoidPtr((void *)block->logits),
                       (unsigned long long)block->vocabulary);
}
%}

void set_event_type(PyObject *type);

%typemap(out) scout_status {
  if ($1 < 0) {
    raise_status($1, scout_last_error());
    SWIG_fail;
  }
  $result = PyLong_FromLong($1);
}
%typemap(out) scout_status scout_request_next, scout_status scout_engine_next {
  if ($1 < 0) {
    raise_status($1, scout_last_error());
    SWIG_fail;
  }
  $result = $1 == SCOUT_OK ? NULL : PyLong_FromLong($1);
}
/* A full waiting list has a message too. */
%typemap(out) scout_status scout_generate, scout_status scout_generate_text, scout_status scout_submit, scout_status scout_submit_text, scout_status scout_submit_tokens, scout_status scout_score {
  if ($1 < 0 || $1 == SCOUT_AGAIN) {
    raise_status($1, scout_last_error());
    SWIG_fail;
  }
  $result = PyLong_FromLong($1);
}
/* Not a result but an argument. */
%typemap(in) scout_status {
  $1 = (int32_t)PyLong_AsLong($input);
  if (PyErr_Occurred()) SWIG_fail;
}

%typemap(in) (const char *text, uint64_t text_size), (const char *name, uint64_t name_size), (const char *pixels, uint64_t pixels_size),
             (const char *bytes, uint64_t bytes_size) {
  char *bytes = NULL;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize($input, &bytes, &size) != 0) SWIG_fail;
  $1 = bytes;
  $2 = (uint64_t)size;
}
/* NUL-terminated: PyBytes_AsStringAndSize refuses bytes that hold a NUL when no size is asked for. */
%typemap(in) const char *path, const char *text {
  char *bytes = NULL;
  if (PyBytes_AsStringAndSize($input, &bytes, NULL) != 0) SWIG_fail;
  $1 = bytes;
}
%typemap(freearg) const char *path, const char *text, (const char *text, uint64_t text_size), (const char *name, uint64_t name_size),
                  (const char *pixels, uint64_t pixels_size), (const char *bytes, uint64_t bytes_size) ""
%typemap(in) (const int32_t *ids, uint64_t count) {
  char *bytes = NULL;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize($input, &bytes, &size) != 0) SWIG_fail;
  $1 = (int32_t *)bytes;
  $2 = (uint64_t)size / sizeof(int32_t);
}

/* Buffers to be filled: the argument is a capacity, (bytes, needed) are further results. */
%typemap(in) (int32_t *ids, uint64_t capacity) (PyObject *buffer = NULL), (char *text, uint64_t capacity) (PyObject *buffer = NULL),
             (char *pixels, uint64_t capacity) (PyObject *buffer = NULL) {
  const size_t capacity = PyLong_AsSize_t($input);
  if (PyErr_Occurred()) SWIG_fail;
  if (capacity > ((size_t)1 << 40)) {
    PyErr_SetString(PyExc_OverflowError, "the capacity is past 2^40");
    SWIG_fail;
  }
  if (capacity != 0) {
    buffer = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(capacity * sizeof(*$1)));
    if (buffer == NULL) SWIG_fail;
    $1 = ($1_ltype)PyBytes_AsString(buffer);
  }
  $2 = capacity;
}
%typemap(argout) (int32_t *ids, uint64_t capacity), (char *text, uint64_t capacity), (char *pixels, uint64_t capacity) {
  if (buffer$argnum == NULL) buffer$argnum = PyBytes_FromStringAndSize("", 0);
  if (buffer$argnum == NULL) SWIG_fail;
  Py_INCREF(buffer$argnum);
  $result = SWIG_Python_AppendOutput($result, buffer$argnum, 0);
}
%typemap(freearg) (int32_t *ids, uint64_t capacity), (char *text, uint64_t capacity), (char *pixels, uint64_t capacity) { Py_XDECREF(buffer$argnum); }
%apply (int32_t *ids, uint64_t capacity) { (int32_t *expanded, uint64_t capacity) };

%typemap(in, numinputs = 0) uint64_t *needed (uint64_t value = 0), uint64_t *count (uint64_t value = 0),
                            uint64_t *frames (uint64_t value = 0) { $1 = &value; }
%typemap(argout) uint64_t *needed, uint64_t *count, uint64_t *frames { $result = SWIG_Python_AppendOutput($result, PyLong_FromUnsignedLongLong(*$1), 0); }
%typemap(in, numinputs = 0) uint64_t *done_bytes (uint64_t value = 0), uint64_t *total_bytes (uint64_t value = 0),
                            uint64_t *bytes (uint64_t value = 0) { $1 = &value; }
%typemap(argout) uint64_t *done_bytes, uint64_t *total_bytes, uint64_t *bytes {
  $result = SWIG_Python_AppendOutput($result, PyLong_FromUnsignedLongLong(*$1), 0);
}
%typemap(in, numinputs = 0) int64_t *time_us (int64_t value = 0) { $1 = &value; }
%typemap(argout) int64_t *time_us { $result = SWIG_Python_AppendOutput($result, PyLong_FromLongLong(*$1), 0); }
%typemap(in, numinputs = 0) int32_t *id (int32_t value = 0), int32_t *moe (int32_t value = 0), int32_t *rope (int32_t value = 0),
                            int32_t *chunked (int32_t value = 0), int32_t *is_special (int32_t value = 0),
                            int32_t *level (int32_t value = 0) { $1 = &value; }
%typemap(argout) int32_t *id, int32_t *moe, int32_t *rope, int32_t *chunked, int32_t *is_special, int32_t *level {
  $result = SWIG_Python_AppendOutput($result, PyLong_FromLong(*$1), 0);
}
%typemap(in, numinputs = 0) (const char **bytes, uint64_t *bytes_size) (const char *data = NULL, uint64_t size = 0) {
  $1 = (char **)&data;
  $2 = &size;
}
%typemap(argout) (const char **bytes, uint64_t *bytes_size) { $result = SWIG_Python_AppendOutput($result, bytes_of(*$1, *$2, 1), 0); }

%define SCOUT_HANDLE_OUT(type, name)
%typemap(in, numinputs = 0) type **name (type *value = NULL) { $1 = &value; }
%typemap(argout) type **name {
  if (*$1 == NULL) {
    Py_INCREF(Py_None);
    $result = SWIG_Python_AppendOutput($result, Py_None, 0);
  } else {
    $result = SWIG_Python_AppendOutput($result, SWIG_NewPointerObj(*$1, $*1_descriptor, 0), 0);
  }
}
%enddef
SCOUT_HANDLE_OUT(scout_model, model)
SCOUT_HANDLE_OUT(scout_operation, operation)
SCOUT_HANDLE_OUT(scout_engine, engine)
SCOUT_HANDLE_OUT(scout_request, request)
SCOUT_HANDLE_OUT(scout_chat, chat)
SCOUT_HANDLE_OUT(scout_image, image)
SCOUT_HANDLE_OUT(scout_video, video)
SCOUT_HANDLE_OUT(scout_scores, scores)

%typemap(in, numinputs = 0) const scout_event **event (const scout_event *value = NULL) { $1 = (scout_event **)&value; }
%typemap(argout) const scout_event **event {
  if ($result == NULL) $result = object_of_event(*$1);
}
%typemap(in, numinputs = 0) const scout_score_block **block (const scout_score_block *value = NULL) { $1 = (scout_score_block **)&value; }
%typemap(argout) const scout_score_block **block { $result = SWIG_Python_AppendOutput($result, tuple_of_block(*$1), 0); }

