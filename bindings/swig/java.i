/* Java: what scout.NativeJNI speaks. The package in bindings/java is its only user.
 *
 *   status           an int when 0 or positive; a failure throws scout.ScoutException, made here with that call's message
 *   text in          byte[]; where C wants a terminating NUL the array ends with one; pixels and files of pictures and clips too
 *   ids in           int[]
 *   buffers out      byte[] or int[] to be filled, or null to ask for the size
 *   numbers out      long[1] or int[1]
 *   handles          long; out: long[1]
 *   text out         byte[]: JNI's own strings are not UTF-8
 *   events, blocks   scout.Event[1], scout.ScoreBlock[1], with everything copied
 *
 * After a failure no further JNI call is made but the releasing ones, which JNI allows then. */

#define %arg(Arg...) Arg  /* one macro argument with commas in it */

%apply int64_t { uint64_t, unsigned long long };

%pragma(java) jniclassclassmodifiers = "final class"
%pragma(java) jniclasscode = %{
  static {
    Loader.load();
  }
%}

/* Events and blocks come as objects. */
%ignore scout_event;
%ignore scout_score_block;

%{
static jbyteArray bytes_of(JNIEnv *env, const char *text, uint64_t size) {
  jbyteArray made = text == NULL ? NULL : (*env)->NewByteArray(env, (jsize)size);
  if (made != NULL) (*env)->SetByteArrayRegion(env, made, 0, (jsize)size, (const jbyte *)text);
  return made;
}

static jintArray ints_of(JNIEnv *env, const int32_t *values, uint64_t count) {
  jintArray made = values == NULL ? NULL : (*env)->NewIntArray(env, (jsize)count);
  if (made != NULL) (*env)->SetIntArrayRegion(env, made, 0, (jsize)count, (const jint *)values);
  return made;
}

static jfloatArray floats_of(JNIEnv *env, const float *values, uint64_t count) {
  jfloatArray made = values == NULL ? NULL : (*env)->NewFloatArray(env, (jsize)count);
  if (made != NULL) (*env)->SetFloatArrayRegion(env, made, 0, (jsize)count, values);
  return made;
}

static void throw_status(JNIEnv *env, int32_t status) {
  jbyteArray message = bytes_of(env, scout_last_error(), strlen(scout_last_error()));
  jclass type = message == NULL ? NULL : (*env)->FindClass(env, "scout/ScoutException");
  jmethodID make = type == NULL ? NULL : (*env)->GetStaticMethodID(env, type, "make", "(I[B)Lscout/ScoutException;");
  jobject error = make == NULL ? NULL : (*env)->CallStaticObjectMethod(env, type, make, (jint)status, message);
  if (error != NULL && !(*env)->ExceptionCheck(env)) (*env)->Throw(env, (jthrowable)error);
}

/* A class that stays, with its method `make`: found on first use, as finding them costs more than a call. A thread that comes at the same
 * time finds the same, and the class is held once more. */
typedef struct maker {
  const char *name, *signature;
  jclass type;
  jmethodID make;
} maker;
static maker event_maker = {"scout/Event", "([B[I[F[I[FIJ[BIJJJDDD)Lscout/Event;", NULL, NULL};
static maker block_maker = {"scout/ScoreBlock", "([J[F[FJ)Lscout/ScoreBlock;", NULL, NULL};

static jclass find_maker(JNIEnv *env, maker *m, jmethodID *make) {
  jclass type = __atomic_load_n(&m->type, __ATOMIC_ACQUIRE); /* set after the method */
  if (type == NULL) {
    jclass local = (*env)->FindClass(env, m->name);
    *make = local == NULL ? NULL : (*env)->GetStaticMethodID(env, local, "make", m->signature);
    type = *make == NULL ? NULL : (jclass)(*env)->NewGlobalRef(env, local);
    if (type == NULL) return NULL;
    __atomic_store_n(&m->make, *make, __ATOMIC_RELAXED);
    __atomic_store_n(&m->type, type, __ATOMIC_RELEASE);
  }
  *make = __atomic_load_n(&m->make, __ATOMIC_RELAXED);
  return type;
}

/* The event of a call goes into into[0]. */
static void put_event(JNIEnv *env, jobjectArray into, const scout_event *event) {
  jclass type;
  jmethodID make = NULL;
  jobject made;
  if (event == NULL || (*env)->ExceptionCheck(env) || (*env)->PushLocalFrame(env, 16) != 0) return;
  type = find_maker(env, &event_maker, &make);
  if (type != NULL) {
    const uint64_t tops = event->id_count * event->top_count;
    jbyteArray text = bytes_of(env, event->text, event->text_size), message = bytes_of(env, event->message, event->message_size);
    jintArray ids = ints_of(env, event->ids, event->id_count), top_ids = ints_of(env, event->top_ids, tops);
    jfloatArray logprobs = floats_of(env, event->logprobs, event->id_count), top_logprobs = floats_of(env, event->top_logprobs, tops);
    if (!(*env)->ExceptionCheck(env)) {
      made = (*env)->CallStaticObjectMethod(env, type, make, text, ids, logprobs, top_ids, top_logprobs, (jint)event->stop, (jlong)event->tag,
                                            message, (jint)event->status, (jlong)event->prompt_tokens, (jlong)event->cached_tokens,
                                            (jlong)event->generated_tokens, event->queue_ms, event->prefill_ms, event->decode_ms);
      if (made != NULL && !(*env)->ExceptionCheck(env)) (*env)->SetObjectArrayElement(env, into, 0, made);
    }
  }
  (*env)->PopLocalFrame(env, NULL);
}

static void put_block(JNIEnv *env, jobjectArray into, const scout_score_block *block) {
  jclass type;
  jmethodID make = NULL;
  jobject made;
  if (block == NULL || (*env)->ExceptionCheck(env) || (*env)->PushLocalFrame(env, 16) != 0) return;
  type = find_maker(env, &block_maker, &make);
  if (type != NULL) {
    jlongArray positions = (*env)->NewLongArray(env, (jsize)block->count);
    jfloatArray logprobs = floats_of(env, block->logprobs, block->count), logits = NULL;
    if (positions != NULL) (*env)->SetLongArrayRegion(env, positions, 0, (jsize)block->count, (const jlong *)block->positions);
    if (!(*env)->ExceptionCheck(env)) logits = floats_of(env, block->logits, block->count * block->vocabulary);
    if (!(*env)->ExceptionCheck(env)) {
      made = (*env)->CallStaticObjectMethod(env, type, make, positions, logprobs, logits, (jlong)block->vocabulary);
      if (made != NULL && !(*env)->ExceptionCheck(env)) (*env)->SetObjectArrayElement(env, into, 0, made);
    }
  }
  (*env)->PopLocalFrame(env, NULL);
}
%}

%typemap(out) scout_status {
  if ($1 < 0) throw_status(jenv, $1);
  $result = (jint)$1;
}

/* A full waiting list has a message too. */
%typemap(out) scout_status scout_generate, scout_status scout_generate_text, scout_status scout_submit, scout_status scout_submit_text, scout_status scout_submit_tokens, scout_status scout_score {
  if ($1 < 0 || $1 == SCOUT_AGAIN) throw_status(jenv, $1);
  $result = (jint)$1;
}

%typemap(jni) const char * "jbyteArray"
%typemap(jtype) const char * "byte[]"
%typemap(jstype) const char * "byte[]"
%typemap(javaout) const char * { return $jnicall; }
%typemap(out) const char * { $result = bytes_of(jenv, $1, $1 == NULL ? 0 : strlen($1)); }
%typemap(javain) const char * "$javainput"

%define SCOUT_JAVA_TYPES(ctypes, jnitype, javatype)
%typemap(jni) ctypes "jnitype"
%typemap(jtype) ctypes "javatype"
%typemap(jstype) ctypes "javatype"
%typemap(javain) ctypes "$javainput"
%enddef

/* Text: bytes and their number, or bytes that end with a NUL. */
SCOUT_JAVA_TYPES(%arg((const char *text, uint64_t text_size), (const char *name, uint64_t name_size), (const char *pixels, uint64_t pixels_size),
                      (const char *bytes, uint64_t bytes_size)), jbyteArray, byte[])
%typemap(in) (const char *text, uint64_t text_size), (const char *name, uint64_t name_size), (const char *pixels, uint64_t pixels_size),
             (const char *bytes, uint64_t bytes_size) {
  if ($input == NULL) {
    SWIG_JavaThrowException(jenv, SWIG_JavaNullPointerException, "$1_name is null");
    return $null;
  }
  $1 = (char *)(*jenv)->GetByteArrayElements(jenv, $input, NULL);
  if ($1 == NULL) return $null;
  $2 = (size_t)(*jenv)->GetArrayLength(jenv, $input);
}
%typemap(freearg) (const char *text, uint64_t text_size), (const char *name, uint64_t name_size), (const char *pixels, uint64_t pixels_size),
                  (const char *bytes, uint64_t bytes_size) {
  (*jenv)->ReleaseByteArrayElements(jenv, $input, (jbyte *)$1, JNI_ABORT);
}
%typemap(in) const char *path, const char *text {
  if ($input == NULL) {
    SWIG_JavaThrowException(jenv, SWIG_JavaNullPointerException, "text is null");
    return $null;
  }
  $1 = (char *)(*jenv)->GetByteArrayElements(jenv, $input, NULL);
  if ($1 == NULL) return $null;
}
%typemap(freearg) const char *path, const char *text { (*jenv)->ReleaseByteArrayElements(jenv, $input, (jbyte *)$1, JNI_ABORT); }
%typemap(argout) const char *path, const char *text, (const char *text, uint64_t text_size), (const char *name, uint64_t name_size),
                 (const char *pixels, uint64_t pixels_size), (const char *bytes, uint64_t bytes_size) ""

SCOUT_JAVA_TYPES(%arg((const int32_t *ids, uint64_t count)), jintArray, int[])
%typemap(in) (const int32_t *ids, uint64_t count) {
  if ($input == NULL) {
    SWIG_JavaThrowException(jenv, SWIG_JavaNullPointerException, "ids is null");
    return $null;
  }
  $1 = (int32_t *)(*jenv)->GetIntArrayElements(jenv, $input, NULL);
  if ($1 == NULL) return $null;
  $2 = (size_t)(*jenv)->GetArrayLength(jenv, $input);
}
%typemap(freearg) (const int32_t *ids, uint64_t count) { (*jenv)->ReleaseIntArrayElements(jenv, $input, (jint *)$1, JNI_ABORT); }

/* Buffers to be filled; null asks for the size. */
%define SCOUT_JAVA_BUFFER(parameters, jnitype, javatype, Kind, element)
SCOUT_JAVA_TYPES(%arg(parameters), jnitype, javatype)
%typemap(in) parameters {
  $1 = NULL;
  $2 = 0;
  if ($input != NULL) {
    $1 = ($1_ltype)(*jenv)->Get##Kind##ArrayElements(jenv, $input, NULL);
    if ($1 == NULL) return $null;
    $2 = (size_t)(*jenv)->GetArrayLength(jenv, $input);
  }
}
%typemap(freearg) parameters { if ($input != NULL) (*jenv)->Release##Kind##ArrayElements(jenv, $input, (element *)$1, 0); }
%enddef
SCOUT_JAVA_BUFFER(%arg((int32_t *ids, uint64_t capacity)), jintArray, int[], Int, jint)
SCOUT_JAVA_BUFFER(%arg((int32_t *expanded, uint64_t capacity)), jintArray, int[], Int, jint)
SCOUT_JAVA_BUFFER(%arg((char *text, uint64_t capacity)), jbyteArray, byte[], Byte, jbyte)
SCOUT_JAVA_BUFFER(%arg((char *pixels, uint64_t capacity)), jbyteArray, byte[], Byte, jbyte)

/* Numbers and handles that come back in the first element of an array. */
%define SCOUT_JAVA_OUT(parameter, ctype)
SCOUT_JAVA_TYPES(parameter, jlongArray, long[])
%typemap(in) parameter (ctype value = 0) { $1 = ($1_ltype)&value; }
%typemap(argout) parameter {
  const jlong made = (jlong)(intptr_t)value$argnum;
  if (!(*jenv)->ExceptionCheck(jenv)) (*jenv)->SetLongArrayRegion(jenv, $input, 0, 1, &made);
}
%typemap(freearg) parameter ""
%enddef
SCOUT_JAVA_OUT(uint64_t *needed, uint64_t)
SCOUT_JAVA_OUT(uint64_t *count, uint64_t)
SCOUT_JAVA_OUT(uint64_t *frames, uint64_t)
SCOUT_JAVA_OUT(int64_t *time_us, int64_t)
SCOUT_JAVA_OUT(uint64_t *done_bytes, uint64_t)
SCOUT_JAVA_OUT(uint64_t *total_bytes, uint64_t)
SCOUT_JAVA_OUT(uint64_t *bytes, uint64_t)
SCOUT_JAVA_OUT(int32_t *id, int32_t)
SCOUT_JAVA_OUT(int32_t *moe, int32_t)
SCOUT_JAVA_OUT(int32_t *rope, int32_t)
SCOUT_JAVA_OUT(int32_t *chunked, int32_t)
SCOUT_JAVA_OUT(int32_t *is_special, int32_t)
SCOUT_JAVA_OUT(int32_t *level, int32_t)
SCOUT_JAVA_OUT(scout_model **model, scout_model *)
SCOUT_JAVA_OUT(scout_operation **operation, scout_operation *)
SCOUT_JAVA_OUT(scout_engine **engine, scout_engine *)
SCOUT_JAVA_OUT(scout_request **request, scout_request *)
SCOUT_JAVA_OUT(scout_chat **chat, scout_chat *)
SCOUT_JAVA_OUT(scout_image **image, scout_image *)
SCOUT_JAVA_OUT(scout_video **video, scout_video *)
SCOUT_JAVA_OUT(scout_scores **scores, scout_scores *)

/* Bytes of the model's: copied into the first element. */
SCOUT_JAVA_TYPES(%arg((const char **bytes, uint64_t *bytes_size)), jobjectArray, byte[][])
%typemap(in) (const char **bytes, uint64_t *bytes_size) (const char *data = NULL, uint64_t size = 0) {
  $1 = (char **)&data;
  $2 = &size;
}
%typemap(argout) (const char **bytes, uint64_t *bytes_size) {
  if (!(*jenv)->ExceptionCheck(jenv)) {
    jbyteArray made = bytes_of(jenv, data$argnum, size$argnum);
    if (made != NULL) (*jenv)->SetObjectArrayElement(jenv, $input, 0, made);
  }
}
%typemap(freearg) (const char **bytes, uint64_t *bytes_size) ""

SCOUT_JAVA_TYPES(const scout_event **event, jobjectArray, Event[])
%typemap(in) const scout_event **event (const scout_event *value = NULL) { $1 = (scout_event **)&value; }
%typemap(argout) const scout_event **event { put_event(jenv, $input, value$argnum); }
%typemap(freearg) const scout_event **event ""
SCOUT_JAVA_TYPES(const scout_score_block **block, jobjectArray, ScoreBlock[])
%typemap(in) const scout_score_block **block (const scout_score_block *value = NULL) { $1 = (scout_score_block **)&value; }
%typemap(argout) const scout_score_block **block { put_block(jenv, $input, value$argnum); }
%typemap(freearg) const scout_score_block **block ""
