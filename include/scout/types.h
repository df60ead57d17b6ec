/** @file types.h  Handles and the conventions that every libscout header follows.
 *
 * - A function's name is scout_<object>_<verb>; the object comes first, then inputs, then options, outputs last.
 * - Every call that can fail returns a scout_status: 0 ok, negative failure, positive information.
 * - Options may be NULL: the defaults. An options struct begins with struct_size; its _init function fills in size and defaults,
 *   so that an old program and a new library agree. Structs only ever grow at their end. A member that this library does not know
 *   yet must be zero, else the call answers SCOUT_ERR_UNSUPPORTED; a struct_size that no release had is SCOUT_ERR_ARGUMENT.
 * - A struct that a call fills in has its struct_size set by the caller, at least 8. Members past it are not written; what this library
 *   does not know is zeroed; struct_size itself stays.
 * - Where a function says "one at a time", a second thread inside at once gets SCOUT_ERR_STATE.
 * - NULL, or a handle of another kind, where a handle is wanted is SCOUT_ERR_ARGUMENT; a handle that was freed is SCOUT_ERR_STATE (it is
 *   known as such until some thousands of others were freed after it: no licence to use it).
 * - Text is bytes and a size. Where a size is taken, SCOUT_NUL says "up to the terminating NUL". Text given back is valid UTF-8
 *   and is also followed by a NUL that its size does not count. Paths and names end at their NUL; paths are UTF-8 on Windows and the
 *   bytes that the system has elsewhere.
 * - Integers have a fixed width; sizes and counts are uint64_t, in functions and in structs. An enum's values travel as int32_t (flags:
 *   uint32_t), never as the enum itself, and keep their numbers for ever.
 * - What you make you free, with the _free of its object; _free(NULL) does nothing; any order is legal. Everything else is
 *   borrowed, for as long as its function says.
 * - A call that fills a buffer takes its capacity and always writes the size that is needed. When the capacity is too small
 *   it returns SCOUT_ERR_LIMIT and writes nothing else; capacity 0 with a NULL buffer asks for the size and returns SCOUT_OK.
 * - These words mean the same in every comment, and scout-abi.json is made from them: "@param[out]" is written by the call; "may be
 *   NULL" and "NULL = ..." allow a null pointer, which nothing else but options, buffers of capacity 0 and what a _free takes does;
 *   "borrowed until ..." and "borrowed while ..." say how long what comes back lives, "static" that it always does; "[count]" before a
 *   pointer member names its length; "1: ...; 0: ..." is a truth value; "@return" lists the codes ("_LIMIT" is SCOUT_ERR_LIMIT) beside
 *   those that handles always may give; "@threads" is "any", "one at a time for a ..." or "one, after everyone else's last call".
 * - Nothing here aborts, exits, throws, installs a signal handler or writes to stdout or stderr. A host's locale, floating-point
 *   environment and signals change no result. Any stack of 128 KiB is enough.
 */
#ifndef SCOUT_TYPES_H
#define SCOUT_TYPES_H

#include <stddef.h> /* NULL */
#include <stdint.h>

#if defined(_WIN32)
#if defined(SCOUT_BUILDING)
#define SCOUT_API __declspec(dllexport)
#else
#define SCOUT_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define SCOUT_API __attribute__((visibility("default")))
#else
#define SCOUT_API
#endif

#ifdef __cplusplus
#define SCOUT_BEGIN_DECLS extern "C" {
#define SCOUT_END_DECLS }
#else
#define SCOUT_BEGIN_DECLS
#define SCOUT_END_DECLS
#endif

/** As a text's size: the text ends at its NUL. */
#define SCOUT_NUL UINT64_MAX
/** As a time-out in milliseconds: wait until there is something. */
#define SCOUT_WAIT ((int64_t)-1)

/** What a call came to: one of the codes in status.h. */
typedef int32_t scout_status;

/** Weights, tokenizer and a default engine. */
typedef struct scout_model scout_model;
/** A load under way. */
typedef struct scout_operation scout_operation;
/** What runs requests over a model. */
typedef struct scout_engine scout_engine;
/** An answer in the making. */
typedef struct scout_request scout_request;
/** A conversation. */
typedef struct scout_chat scout_chat;
/** A scoring under way. */
typedef struct scout_scores scout_scores;
/** A picture. */
typedef struct scout_image scout_image;
/** A clip whose frames are being taken. */
typedef struct scout_video scout_video;

#endif /* SCOUT_TYPES_H */
