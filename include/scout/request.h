/** @file request.h  What a request asks for and what comes back. */
#ifndef SCOUT_REQUEST_H
#define SCOUT_REQUEST_H

#include "status.h"

SCOUT_BEGIN_DECLS

/** What an answer is to be like. */
typedef struct scout_request_options {
  uint32_t struct_size;
  float temperature;        /**< 0 = always the most likely token (the default) */
  int32_t top_k;            /**< sample among the k most likely; 0 = all */
  float top_p;              /**< leave out tokens whose more likely ones already hold this mass; 1 = off; in (0, 1] */
  float min_p;              /**< leave out tokens less likely than this times the most likely; 0 = off; in [0, 1] */
  float repetition_penalty; /**< over prompt and answer; 1 = off; > 0 */
  float frequency_penalty;  /**< subtracted from a logit for each time the token is in the answer; 0 = off */
  float presence_penalty;   /**< subtracted from a logit when the token is in the answer; 0 = off */
  uint64_t seed;            /**< same seed, same request: same answer, whatever else runs */
  int64_t max_tokens;       /**< 0 = as many as the context holds */
  uint64_t tag;             /**< repeated in each event */
  const int32_t *bias_ids;  /**< [bias_count] added to the logits of these ids; copied by the call */
  const float *bias_values; /**< [bias_count]; -INFINITY forbids */
  uint64_t bias_count;
  const char *const *stop;     /**< [stop_count] the answer ends before the first of these texts; copied by the call */
  const uint64_t *stop_sizes;  /**< [stop_count] bytes; NULL = NUL-terminated */
  uint64_t stop_count;
  const int32_t *stop_tokens; /**< [stop_token_count] beside the model's own; copied by the call */
  uint64_t stop_token_count;
  int32_t logprobs;        /**< 1: log-probabilities of the generated tokens; 0: none */
  int32_t top_logprobs;    /**< 0 .. 20: the most likely tokens of each position, with theirs */
  int32_t ignore_end;      /**< 1: go on past the model's own stop tokens; 0: end there */
  int32_t include_special; /**< 1: control tokens are written into the text; 0: left out */
  int32_t raw;             /**< 1: scout_generate's prompt is continued as it stands; 0: answered as a chat's question */
  int32_t reserved;
  const scout_image *const *images; /**< [image_count] pictures of a text or of ids, whose handles may be freed after the call. A question
                                         of a chat comes behind them; in what is continued as it stands, and among ids, each "<|image|>"
                                         becomes the next of them, so there are as many. A scout_chat holds its own */
  uint64_t image_count;             /**< at most 1024; with 0 "<|image|>" is text, and its id a token */
} scout_request_options;

/** Fills in the defaults: greedy, until the model ends or the context is full.
 * @param struct_size  sizeof(scout_request_options) as the caller knows it
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_request_options_init(scout_request_options *options, uint64_t struct_size);

/** Why an answer ended. */
enum scout_stop {
  SCOUT_STOP_NONE = 0,      /**< it did not: more events follow */
  SCOUT_STOP_END = 1,       /**< the model ended its turn */
  SCOUT_STOP_STRING = 2,    /**< a stop string */
  SCOUT_STOP_LENGTH = 3,    /**< max_tokens, the context or the room for keys and values: message says which */
  SCOUT_STOP_CANCELLED = 4, /**< scout_request_cancel, or its engine was freed */
  SCOUT_STOP_ERROR = 5      /**< status and message say what */
};

/** A piece of an answer: whole UTF-8 characters, with what they came from. Everything in it is the library's and is borrowed
 * until the next call of the same _next function on the same request or engine, or until that is freed. */
typedef struct scout_event {
  uint32_t struct_size; /**< how much of the struct this library fills */
  int32_t stop;         /**< SCOUT_STOP_*; not NONE: the last event */
  uint64_t tag;         /**< scout_request_options.tag */
  const char *text;     /**< [text_size] and a NUL; never NULL */
  uint64_t text_size;   /**< bytes */
  const int32_t *ids;   /**< [id_count] tokens the text came from; may be NULL with a count of 0 */
  uint64_t id_count;
  const float *logprobs;      /**< [id_count] natural logarithm, of the model's own distribution; NULL unless asked for */
  const int32_t *top_ids;     /**< [id_count][top_count] best first; NULL unless asked for */
  const float *top_logprobs;  /**< [id_count][top_count] natural logarithm; NULL unless asked for */
  uint64_t top_count;
  const char *message; /**< [message_size] and a NUL; never NULL; in the last event what there is to say about its end */
  uint64_t message_size;
  int32_t status;      /**< SCOUT_ERR_* where stop is ERROR or CANCELLED, else 0 */
  int32_t reserved;
  /* in the last event: */
  int64_t prompt_tokens;
  int64_t cached_tokens; /**< of the prompt, whose keys and values were found ready */
  int64_t generated_tokens;
  double queue_ms, prefill_ms, decode_ms;
} scout_event;

/** Answers a text: as a chat's only user message where the model has a chat format, else (or with options->raw) by going on from
 * it. The model's default engine (scout_model_engine), made on first use, runs it. scout_submit_text takes a text with a size.
 * @param text  NUL-terminated UTF-8
 * @param options  NULL = the defaults; images are the text's
 * @param[out] request  to be freed with scout_request_free
 * @return SCOUT_OK; SCOUT_AGAIN when the waiting list is full, with a message; _LIMIT for a prompt that can never fit, or too many
 *   pictures; SCOUT_ERR_ARGUMENT when there are not as many "<|image|>" as pictures, with both counts; SCOUT_ERR_UNSUPPORTED for pictures
 *   when the model was loaded without a vision tower, saying why; _STATE, _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_generate(scout_model *model, const char *text, const scout_request_options *options, scout_request **request);

/** The token ids that scout_generate and scout_submit_text make of a text, its pictures' tokens included. Nothing is computed of the
 * pictures' pixels. Same rule for the buffer as scout_encode.
 * @param text  may contain NUL; may be NULL with size 0
 * @param options  NULL = the defaults; raw and images count
 * @param[out] ids  room for `capacity` ids
 * @param[out] needed  ids in all, always written: a request's prompt_tokens
 * @return SCOUT_OK; SCOUT_ERR_LIMIT when capacity is too small, or for too many pictures; SCOUT_ERR_ARGUMENT when there are not as many
 *   "<|image|>" as pictures; SCOUT_ERR_UNSUPPORTED for pictures when the model was loaded without a vision tower; _STATE, _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_prompt_tokens(const scout_model *model, const char *text, uint64_t text_size,
                                           const scout_request_options *options, int32_t *ids, uint64_t capacity, uint64_t *needed);

/** The token ids that scout_submit_tokens and scout_score make of ids among which "<|image|>" (scout_token_find) stands for pictures:
 * what those of pictures become, and so which position is whose. Same rule for the buffer as scout_encode.
 * @param ids  at least one
 * @param options  NULL = the defaults; images count
 * @param[out] expanded  room for `capacity` ids
 * @param[out] needed  ids in all, always written
 * @return as scout_prompt_tokens
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_prompt_expand(const scout_model *model, const int32_t *ids, uint64_t count,
                                           const scout_request_options *options, int32_t *expanded, uint64_t capacity, uint64_t *needed);

/** Takes the next event of a request. From the first call on, scout_engine_next gives none of this request; when that has given one
 * before, the others come from there too and this answers SCOUT_ERR_STATE.
 * @param timeout_ms  0 never waits, SCOUT_WAIT waits for ever; with a stepped engine no call waits
 * @param[out] event  borrowed until the next scout_request_next on this request, or until it is freed; NULL unless SCOUT_OK
 * @return SCOUT_OK; SCOUT_AGAIN when the time is up; SCOUT_DONE after the last event; _ARGUMENT, _STATE (another thread is inside,
 *   scout_engine_next gives its events, the handle was freed, after fork)
 * @threads one at a time for a request
 * @since 0.1 */
SCOUT_API scout_status scout_request_next(scout_request *request, int64_t timeout_ms, const scout_event **event);

/** A descriptor for poll or epoll that is readable while scout_request_next has something to say; owned by the request, only to be
 * polled. Made on the first call. -1 where the system has none. For many requests use one scout_engine_descriptor instead.
 * @threads any
 * @since 0.1 */
SCOUT_API int32_t scout_request_descriptor(const scout_request *request);

/** Ends a request: its last event says CANCELLED. Harmless after the end.
 * @return SCOUT_OK, _ARGUMENT, _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_request_cancel(scout_request *request);

/** The ids generated so far, as far as their events were taken. Same rule for the buffer as scout_encode.
 * @param[out] ids  room for `capacity` ids
 * @param[out] needed  ids in all, always written
 * @return SCOUT_OK; SCOUT_ERR_LIMIT when capacity is too small; _ARGUMENT, _STATE, _NO_MEMORY
 * @threads one at a time for a request
 * @since 0.1 */
SCOUT_API scout_status scout_request_ids(const scout_request *request, int32_t *ids, uint64_t capacity, uint64_t *needed);

/** Cancels a request that still runs, and frees it.
 * @threads one, after everyone else's last call
 * @since 0.1 */
SCOUT_API void scout_request_free(scout_request *request);

SCOUT_END_DECLS

#endif /* SCOUT_REQUEST_H */
