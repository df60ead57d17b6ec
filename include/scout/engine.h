/** @file engine.h  Many requests at once over one model. */
#ifndef SCOUT_ENGINE_H
#define SCOUT_ENGINE_H

#include "request.h"

SCOUT_BEGIN_DECLS

/** Who runs an engine's steps. */
enum scout_engine_mode {
  SCOUT_ENGINE_THREADED = 0, /**< a thread of the engine's own runs the steps */
  SCOUT_ENGINE_STEPPED = 1   /**< scout_engine_step runs them; no thread is made for them and no call waits */
};

/** How an engine works. */
typedef struct scout_engine_options {
  uint32_t struct_size;
  int32_t mode;          /**< SCOUT_ENGINE_* */
  int32_t kv_format;     /**< SCOUT_KV_*; 0 = as the model was loaded */
  int32_t step_rows;     /**< most tokens of a step; 0 = 512 */
  uint64_t kv_bytes;     /**< memory for keys and values; 0 = as the model was loaded */
  int64_t context;       /**< positions that one request may use; 0 = as the model was loaded */
  int32_t decode_step_rows; /**< most tokens of a step while answers stream, which bounds how long a long prompt holds them up; 0 = 128 */
  int32_t max_waiting;      /**< requests in the waiting list before scout_submit answers SCOUT_AGAIN; 0 = 1024 */
  int32_t max_running;      /**< requests that share a step; 0 = 64 */
  int32_t no_prefix_cache;  /**< 1: pages of finished prompts are not kept for later ones; 0: they are */
  uint64_t cache_salt;      /**< requests of engines with different salts never share pages */
  uint64_t picture_cache_bytes; /**< most memory for the features of pictures that later requests may ask about again, the least recently
                                     used go; 0 = 268435456; not with no_picture_cache. A tile of the released models has 3 MB */
  int32_t no_picture_cache;     /**< 1: nothing is kept of a picture when the requests that need it have computed it; 0: its features are */
  int32_t reserved;
} scout_engine_options;

/** Fills in the defaults.
 * @param struct_size  sizeof(scout_engine_options) as the caller knows it
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_engine_options_init(scout_engine_options *options, uint64_t struct_size);

/** Makes an engine.
 * @param options  NULL = the defaults
 * @param[out] engine  to be freed with scout_engine_free
 * @return SCOUT_OK; _ARGUMENT, _LIMIT, _UNSUPPORTED, _NO_MEMORY naming what is needed and what is left
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_engine_new(scout_model *model, const scout_engine_options *options, scout_engine **engine);

/** The model's default engine, which scout_generate uses; made on first use with the defaults of the load. For its statistics and its
 * descriptor, and to submit chats without sizing an engine. Each call gives a handle of its own.
 * @param[out] engine  to be freed with scout_engine_free, which lets go of the handle and leaves the engine to the model
 * @return SCOUT_OK; _ARGUMENT, _LIMIT, _UNSUPPORTED, _NO_MEMORY naming what is needed and what is left
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_model_engine(scout_model *model, scout_engine **engine);

/** Ends the engine's requests with a last event, joins its thread and frees it. Requests stay valid and can be read to their end.
 * @threads one, after everyone else's last call
 * @since 0.1 */
SCOUT_API void scout_engine_free(scout_engine *engine);

/** Submits a conversation for an answer. The chat is copied and may go on changing.
 * @param options  NULL = the defaults; no images: the chat holds its own
 * @param[out] request  to be freed with scout_request_free
 * @return SCOUT_OK; SCOUT_AGAIN when the waiting list is full, with a message; _LIMIT for a prompt that can never fit; _ARGUMENT,
 *   _UNSUPPORTED, _STATE, _NO_MEMORY
 * @threads any; one at a time for the chat
 * @since 0.1 */
SCOUT_API scout_status scout_submit(scout_engine *engine, const scout_chat *chat, const scout_request_options *options,
                                    scout_request **request);

/** Submits a text for an answer: as a chat's only user message where the model has a chat format, else (or with options->raw) by going
 * on from it.
 * @param text  may contain NUL; may be NULL with size 0
 * @param options  NULL = the defaults; images are the text's
 * @param[out] request  to be freed with scout_request_free
 * @return as scout_generate
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_submit_text(scout_engine *engine, const char *text, uint64_t text_size,
                                         const scout_request_options *options, scout_request **request);

/** Submits token ids to be continued. They are taken as they are: no begin-of-text token is added. With images each "<|image|>"
 * (scout_token_find) among them becomes all the tokens of the next picture.
 * @param options  NULL = the defaults; images are those of the ids
 * @param[out] request  to be freed with scout_request_free
 * @return as scout_generate
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_submit_tokens(scout_engine *engine, const int32_t *ids, uint64_t count, const scout_request_options *options,
                                           scout_request **request);

/** Takes the next event of any of the engine's requests, in turn. Requests that scout_request_next was called for are left to it.
 * @param timeout_ms  0 never waits, SCOUT_WAIT waits for ever, also while the engine has no request; with a stepped engine no call waits
 * @param[out] event  borrowed until the next scout_engine_next on this engine, or until it is freed; NULL unless SCOUT_OK.
 *   event->tag tells whose it is
 * @return SCOUT_OK; SCOUT_AGAIN when the time is up or scout_engine_wake was called; SCOUT_DONE when the engine was freed meanwhile
 *   and its last event is taken; _ARGUMENT, _STATE (another thread is inside, the handle was freed, after fork)
 * @threads one at a time for an engine
 * @since 0.1 */
SCOUT_API scout_status scout_engine_next(scout_engine *engine, int64_t timeout_ms, const scout_event **event);

/** Makes the scout_engine_next that waits, else the next one that finds no event, answer SCOUT_AGAIN at once: for a thread that has
 * something else to tell the one that waits.
 * @return SCOUT_OK, _ARGUMENT, _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_engine_wake(scout_engine *engine);

/** A descriptor for poll or epoll that is readable while scout_engine_next has an event to give, or a wake to answer; owned by the
 * engine, only to be polled. -1 where the system has none.
 * @threads any
 * @since 0.1 */
SCOUT_API int32_t scout_engine_descriptor(const scout_engine *engine);

/** Runs a stepped engine for about `budget_ms`, rounded up to a layer; 0 runs one layer.
 * @return SCOUT_OK when work is left; SCOUT_DONE when there is none; SCOUT_ERR_STATE for a threaded engine or from two threads at once;
 *   _ARGUMENT for a negative budget
 * @threads one at a time for an engine
 * @since 0.1 */
SCOUT_API scout_status scout_engine_step(scout_engine *engine, int64_t budget_ms);

/** What an engine holds and has done. */
typedef struct scout_engine_stats {
  uint32_t struct_size; /**< set by the caller */
  int32_t reserved;
  int64_t waiting, running; /**< requests */
  int64_t steps, rows;      /**< run so far */
  int64_t prompt_tokens, cached_tokens, generated_tokens;
  int64_t preemptions; /**< times a request gave its pages up and was computed again */
  int64_t local_pages, local_pages_used, local_pages_cached, local_pages_peak;
  int64_t global_pages, global_pages_used, global_pages_cached, global_pages_peak;
  int64_t page_positions; /**< positions a page holds */
  int64_t context;        /**< positions that one request may use */
  uint64_t kv_bytes;      /**< memory of all pages */
  uint64_t workspace_bytes;
  int64_t pictures_encoded;          /**< by the vision tower, so far */
  int64_t picture_cache_hits;        /**< pictures of requests that needed no encoding, so far: another's is kept, or was waited for */
  int64_t picture_cache_misses;      /**< pictures of requests for which encoding was begun, so far */
  int64_t picture_cache_entries;     /**< pictures whose features are kept */
  uint64_t picture_cache_bytes;      /**< of features that are kept */
  uint64_t picture_cache_limit_bytes; /**< that may be kept; 0: no cache, or no vision tower */
} scout_engine_stats;

/** Figures about an engine.
 * @param[out] stats  struct_size set by the caller; members past it are not written
 * @return SCOUT_OK, _ARGUMENT, _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_engine_get_stats(const scout_engine *engine, scout_engine_stats *stats);

SCOUT_END_DECLS

#endif /* SCOUT_ENGINE_H */
