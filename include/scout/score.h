/** @file score.h  How likely given tokens are, and whole rows of logits. */
#ifndef SCOUT_SCORE_H
#define SCOUT_SCORE_H

#include "engine.h"

SCOUT_BEGIN_DECLS

/** What a scoring is to give. */
typedef struct scout_score_options {
  uint32_t struct_size;
  int32_t logits;           /**< 1: whole rows of logits, of all positions unless some are named; 0: log-probabilities */
  const int64_t *positions; /**< [position_count] ascending: rows whose logits are wanted; copied by the call */
  uint64_t position_count;
  const scout_image *const *images; /**< [image_count] pictures: each "<|image|>" (scout_token_find) among the ids becomes the tokens of the
                                         next of them, so there are as many, and positions are those of what this gives
                                         (scout_prompt_expand). The handles may be freed after the call */
  uint64_t image_count;             /**< at most 1024; with 0 the id of "<|image|>" is a token as any other */
} scout_score_options;

/** Fills in the defaults: log-probabilities only.
 * @param struct_size  sizeof(scout_score_options) as the caller knows it
 * @return SCOUT_OK, SCOUT_ERR_ARGUMENT
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_score_options_init(scout_score_options *options, uint64_t struct_size);

/** Starts scoring tokens. The work shares steps with the engine's other requests and pauses until its blocks are taken. What a picture's
 * own tokens score says nothing: a model is not trained on them.
 * @param options  NULL = the defaults
 * @param[out] scores  to be freed with scout_scores_free
 * @return as scout_generate
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_score(scout_engine *engine, const int32_t *ids, uint64_t count, const scout_score_options *options,
                                   scout_scores **scores);

/** A run of consecutive results. Everything in it is borrowed until the next scout_scores_next on these scores, or until they are
 * freed. */
typedef struct scout_score_block {
  uint32_t struct_size; /**< how much of the struct this library fills */
  int32_t reserved;
  uint64_t count;            /**< rows in this block */
  const int64_t *positions;  /**< [count] ascending */
  const float *logprobs;     /**< [count] ln p(ids[position] | the ids before it); NaN at position 0; NULL when logits were asked for */
  const float *logits;       /**< [count][vocabulary] of what follows `position`; NULL unless asked for */
  uint64_t vocabulary;
} scout_score_block;

/** Takes the next block, in the order of positions.
 * @param timeout_ms  0 never waits, SCOUT_WAIT waits for ever; with a stepped engine no call waits
 * @param[out] block  borrowed until the next scout_scores_next on these scores, or until they are freed; NULL unless SCOUT_OK
 * @return SCOUT_OK; SCOUT_AGAIN when the time is up; SCOUT_DONE after the last; the failure of the scoring: _CANCELLED,
 *   _LIMIT, _NO_MEMORY, _DEVICE; _ARGUMENT, _STATE (another thread is inside, the handle was freed, after fork)
 * @threads one at a time for these scores
 * @since 0.1 */
SCOUT_API scout_status scout_scores_next(scout_scores *scores, int64_t timeout_ms, const scout_score_block **block);

/** A descriptor for poll or epoll that is readable while scout_scores_next has something to say; owned by the scores, only to be
 * polled. Made on the first call. -1 where the system has none.
 * @threads any
 * @since 0.1 */
SCOUT_API int32_t scout_scores_descriptor(const scout_scores *scores);

/** Ends the scoring from any thread; scout_scores_next then returns SCOUT_ERR_CANCELLED.
 * @return SCOUT_OK, _ARGUMENT, _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_scores_cancel(scout_scores *scores);

/** Cancels what still runs, and frees.
 * @threads one, after everyone else's last call
 * @since 0.1 */
SCOUT_API void scout_scores_free(scout_scores *scores);

SCOUT_END_DECLS

#endif /* SCOUT_SCORE_H */
