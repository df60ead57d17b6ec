/** @file scout.h  libscout: Meta's Llama 4 from any program.
 *
 * Three calls greet a newcomer: scout_load, scout_generate (with scout_request_next to read the answer), scout_free. Everything
 * else is reached from the same handles. The conventions are in types.h.
 *
 * | handle          | made by                       | keeps alive                    | options              | threads                                  | what freeing does                                        |
 * |-----------------|-------------------------------|--------------------------------|----------------------|------------------------------------------|----------------------------------------------------------|
 * | scout_model     | scout_load, _operation_wait   | weights, tokenizer, its default engine | scout_load_options | any, at once                         | drops the caller's hold; memory goes when its engines, requests, chats and scores are gone |
 * | scout_operation | scout_load_start              | what it is making              | scout_load_options   | one waits, any may cancel or ask         | cancels, waits for the current read only                 |
 * | scout_engine    | scout_engine_new, scout_model_engine | model                          | scout_engine_options | submit, stats, descriptor: any; next, step: one at a time | its requests end with a last event, its thread is joined (the default engine: only the handle goes) |
 * | scout_request   | scout_submit*, scout_generate | engine's memory, model         | scout_request_options | next: one at a time; cancel: any        | cancels; its pages return                                |
 * | scout_scores    | scout_score                   | engine's memory, model         | scout_score_options  | next: one at a time; cancel: any         | cancels; its pages return                                |
 * | scout_chat      | scout_chat_new                | model's tokenizer              | -                    | one at a time                            | frees                                                    |
 * | scout_image     | scout_image_from_*            | its pixels                     | scout_image_options, scout_tile_options | any, at once          | drops the caller's hold                                  |
 * | scout_video     | scout_video_open, _from_bytes   | its decoder, the file or bytes | scout_video_options  | next: one at a time; cancel: any         | cancels; its pictures remain                             |
 * | scout_event     | *_next                        | nothing: borrowed until the next call of the same *_next | - | the one that asked              | (not freed)                                              |
 * | scout_score_block | scout_scores_next           | nothing: borrowed until the next scout_scores_next | -   | the one that asked                       | (not freed)                                              |
 *
 * After fork, once the parent has made a handle, a child cannot use libscout: every call on a handle or that makes one answers
 * SCOUT_ERR_STATE, and the _free functions do nothing. Fork before the first handle is made, or exec in the child.
 */
#ifndef SCOUT_SCOUT_H
#define SCOUT_SCOUT_H

#include "chat.h"
#include "device.h"
#include "engine.h"
#include "image.h"
#include "log.h"
#include "model.h"
#include "request.h"
#include "score.h"
#include "status.h"
#include "tokenizer.h"
#include "types.h"
#include "version.h"
#include "video.h"

#endif /* SCOUT_SCOUT_H */
