/** @file tokenizer.h  Text to token ids and back. A model without a tokenizer answers SCOUT_ERR_STATE here.
 *
 * Plain text never yields control tokens: "<|eot|>" in a text is seven ordinary characters unless SCOUT_ENCODE_SPECIAL is given.
 * Bytes that are not UTF-8 are encoded byte by byte and come back as they were. */
#ifndef SCOUT_TOKENIZER_H
#define SCOUT_TOKENIZER_H

#include "status.h"

SCOUT_BEGIN_DECLS

/** How text is encoded: a sum of these. */
enum scout_encode_flags {
  SCOUT_ENCODE_PLAIN = 0,
  SCOUT_ENCODE_SPECIAL = 1, /**< the spellings of control tokens become control tokens: only for trusted text */
  SCOUT_ENCODE_BOS = 2      /**< begin with the begin-of-text token */
};
/** How ids are decoded: a sum of these. */
enum scout_decode_flags {
  SCOUT_DECODE_PLAIN = 0,
  SCOUT_DECODE_SPECIAL = 1 /**< control tokens are written with their names; otherwise they are left out */
};

/** Encodes text.
 * @param text  may contain NUL; may be NULL with size 0
 * @param flags  SCOUT_ENCODE_*
 * @param[out] ids  room for `capacity` ids
 * @param[out] needed  ids in all, always written
 * @return SCOUT_OK; SCOUT_ERR_LIMIT when capacity is too small (nothing is written to ids); _ARGUMENT, _STATE, _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_encode(const scout_model *model, const char *text, uint64_t text_size, uint32_t flags, int32_t *ids,
                                    uint64_t capacity, uint64_t *needed);

/** Counts the tokens of a text, as scout_encode would make them, without keeping them.
 * @param text  may be NULL with size 0
 * @param flags  SCOUT_ENCODE_*
 * @param[out] count  the tokens
 * @return SCOUT_OK, _ARGUMENT, _STATE, _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_count_tokens(const scout_model *model, const char *text, uint64_t text_size, uint32_t flags, uint64_t *count);

/** Decodes ids to bytes: valid UTF-8 wherever the ids came from valid UTF-8 as a whole; a single id may be part of a character.
 * @param ids  may be NULL with count 0
 * @param flags  SCOUT_DECODE_*
 * @param[out] text  room for `capacity` bytes; no NUL is added
 * @param[out] needed  bytes in all, always written
 * @return SCOUT_OK; SCOUT_ERR_LIMIT when capacity is too small; _ARGUMENT for an id outside the vocabulary, _STATE, _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_decode(const scout_model *model, const int32_t *ids, uint64_t count, uint32_t flags, char *text,
                                    uint64_t capacity, uint64_t *needed);

/** The bytes of one token (of a control token: its name). Not always UTF-8.
 * @param[out] bytes  borrowed while the model lives
 * @param[out] bytes_size  how many
 * @param[out] is_special  1: a control token; 0: not; may be NULL
 * @return SCOUT_OK; SCOUT_ERR_ARGUMENT for an id outside the vocabulary; _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_token_bytes(const scout_model *model, int32_t id, const char **bytes, uint64_t *bytes_size, int32_t *is_special);

/** The id of a control token by its name, "<|eot|>" for instance.
 * @param[out] id  the answer
 * @return SCOUT_OK; SCOUT_ERR_ARGUMENT when there is none of that name; _STATE
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_token_find(const scout_model *model, const char *name, uint64_t name_size, int32_t *id);

/** The ids that end an answer. Same rule for the buffer as scout_encode.
 * @param[out] ids  room for `capacity` ids
 * @param[out] needed  ids in all, always written
 * @return SCOUT_OK; SCOUT_ERR_LIMIT when capacity is too small; _ARGUMENT, _STATE, _NO_MEMORY
 * @threads any
 * @since 0.1 */
SCOUT_API scout_status scout_stop_tokens(const scout_model *model, int32_t *ids, uint64_t capacity, uint64_t *needed);

SCOUT_END_DECLS

#endif /* SCOUT_TOKENIZER_H */
