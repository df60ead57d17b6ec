/* One function per kind of behaviour: see README.md for what each shows. */
#ifndef CONFORMANCE_KINDS_H
#define CONFORMANCE_KINDS_H

#include "runner.h"

void kind_facts(const test_case *c);
void kind_statuses(const test_case *c);
void kind_encode(const test_case *c);
void kind_decode(const test_case *c);
void kind_utf16(const test_case *c);
void kind_token(const test_case *c);
void kind_stop_tokens(const test_case *c);
void kind_generate(const test_case *c);
void kind_same_twice(const test_case *c);
void kind_chat(const test_case *c);
void kind_turns(const test_case *c);
void kind_score(const test_case *c);
void kind_score_logits(const test_case *c);
void kind_image(const test_case *c);
void kind_tiling(const test_case *c);
void kind_image_tokens(const test_case *c);
void kind_chat_image(const test_case *c);
void kind_error_image(const test_case *c);
void kind_video(const test_case *c);
void kind_error_video(const test_case *c);

/* What kinds of pictures and of clips share. What fails has the status and the words of the case. */
void tile_options(const test_case *c, scout_tile_options *options);
void refused(const test_case *c, scout_status status);

#endif
