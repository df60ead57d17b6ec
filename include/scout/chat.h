/** @file chat.h  A conversation in Llama 4's chat format. Text given here can never become control tokens: those come from the
 * structure only. */
#ifndef SCOUT_CHAT_H
#define SCOUT_CHAT_H

#include "status.h"

SCOUT_BEGIN_DECLS

/** Who says a message. */
enum scout_role {
  SCOUT_ROLE_SYSTEM = 0,
  SCOUT_ROLE_USER = 1,
  SCOUT_ROLE_ASSISTANT = 2,
  SCOUT_ROLE_TOOL = 3 /**< a tool's result */
};

/** Makes an empty conversation.
 * @param[out] chat  to be freed with scout_chat_free
 * @return SCOUT_OK; SCOUT_ERR_STATE when the model's tokenizer lacks what the chat format needs, naming it
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_chat_new(const scout_model *model, scout_chat **chat);

/** Adds a message with one text part.
 * @param role  SCOUT_ROLE_*; a system message comes first or not at all
 * @param text  may be NULL with size 0
 * @return SCOUT_OK, _ARGUMENT, _STATE (another thread is inside), _NO_MEMORY
 * @threads one at a time for a chat
 * @since 0.1 */
SCOUT_API scout_status scout_chat_add(scout_chat *chat, int32_t role, const char *text, uint64_t text_size);

/** Begins a message to which parts are added. The next scout_chat_add or _begin, or using the chat, ends it.
 * @param role  SCOUT_ROLE_*
 * @return SCOUT_OK, _ARGUMENT, _STATE (another thread is inside), _NO_MEMORY
 * @threads one at a time for a chat
 * @since 0.1 */
SCOUT_API scout_status scout_chat_begin(scout_chat *chat, int32_t role);

/** Adds text to the message that scout_chat_begin began.
 * @param text  may be NULL with size 0
 * @return SCOUT_OK; SCOUT_ERR_STATE when no message is begun; _ARGUMENT, _NO_MEMORY
 * @threads one at a time for a chat
 * @since 0.1 */
SCOUT_API scout_status scout_chat_add_text(scout_chat *chat, const char *text, uint64_t text_size);

/** Adds a picture to the message that scout_chat_begin began, at this place among its texts: before a question, or between two
 * sentences. It becomes tokens and tiles by the model's own rules (scout_model_get_tile_options) and is kept by the chat; the handle may
 * be freed. Any message but the system's may hold pictures, a chat at most 1024.
 * @return SCOUT_OK; SCOUT_ERR_UNSUPPORTED when the model was loaded without a vision tower, saying why; SCOUT_ERR_STATE when no message is
 *   begun or the model's tokenizer lacks a token that pictures need, naming it; SCOUT_ERR_LIMIT for too many; _ARGUMENT, _NO_MEMORY
 * @threads one at a time for a chat
 * @since 0.1 */
SCOUT_API scout_status scout_chat_add_image(scout_chat *chat, const scout_image *image);

/** Adds a finished request's answer as the assistant's message: exactly the tokens that were generated, so that the next turn finds
 * the pages of this one.
 * @return SCOUT_OK; SCOUT_ERR_STATE while the request is not finished; _ARGUMENT when it belongs to another model, _NO_MEMORY
 * @threads one at a time for a chat and for the request
 * @since 0.1 */
SCOUT_API scout_status scout_chat_add_answer(scout_chat *chat, const scout_request *request);

/** The token ids of the conversation, with the beginning of the assistant's answer. Same rule for the buffer as scout_encode.
 * @param[out] ids  room for `capacity` ids
 * @param[out] needed  ids in all, always written
 * @return SCOUT_OK; SCOUT_ERR_LIMIT when capacity is too small; _ARGUMENT, _STATE, _NO_MEMORY
 * @threads one at a time for a chat
 * @since 0.1 */
SCOUT_API scout_status scout_chat_tokens(const scout_chat *chat, int32_t *ids, uint64_t capacity, uint64_t *needed);

/** The number of messages, one that is begun included.
 * @param[out] count  the answer
 * @return SCOUT_OK, _ARGUMENT, _STATE (another thread is inside)
 * @threads one at a time for a chat
 * @since 0.1 */
SCOUT_API scout_status scout_chat_count(const scout_chat *chat, uint64_t *count);

/** Frees a conversation.
 * @threads one, after everyone else's last call
 * @since 0.1 */
SCOUT_API void scout_chat_free(scout_chat *chat);

SCOUT_END_DECLS

#endif /* SCOUT_CHAT_H */
