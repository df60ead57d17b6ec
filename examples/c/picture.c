/* A question about a picture. Usage: picture [MODEL [QUESTION [FILE]]]; without a file, about one that is drawn here. */
#include <scout/scout.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 96, HALF = SIDE / 2, REACH = 18 };

static void check(scout_status status) {
  if (status < 0) {
    fprintf(stderr, "picture: %s\n", scout_last_error());
    exit(1);
  }
}

/* A red circle and a blue square on white. */
static scout_image *draw(void) {
  static char pixels[SIDE * SIDE * 3];
  scout_image *image = NULL;
  int x, y, c;
  for (y = 0; y < SIDE; ++y) {
    for (x = 0; x < SIDE; ++x) {
      static const unsigned char colours[3][3] = {{244, 244, 244}, {220, 30, 30}, {40, 70, 225}};
      const int across = x % HALF - HALF / 2, down = y - SIDE / 2, left = x < HALF;
      const int inside = left ? across * across + down * down <= REACH * REACH : abs(across) <= REACH && abs(down) <= REACH;
      for (c = 0; c < 3; ++c) pixels[(y * SIDE + x) * 3 + c] = (char)colours[!inside ? 0 : left ? 1 : 2][c];
    }
  }
  check(scout_image_from_pixels(pixels, sizeof pixels, SIDE, SIDE, 0, 3, NULL, &image));
  return image;
}

int main(int argc, char **argv) {
  scout_load_options options;
  scout_model *model = NULL;
  scout_engine *engine = NULL;
  scout_chat *chat = NULL;
  scout_image *image = NULL;
  scout_request *answer = NULL;
  const scout_event *event = NULL;
  int failed = 0;

  check(scout_load_options_init(&options, sizeof options));
  options.vision = 1; /* the tower that sees is loaded when it is asked for */
  check(scout_load(argc > 1 ? argv[1] : "scout-tiny", &options, &model));
  check(scout_model_engine(model, &engine));
  if (argc > 3)
    check(scout_image_from_file(argv[3], NULL, &image)); /* PNG, JPEG or WebP */
  else
    image = draw();
  check(scout_chat_new(model, &chat));
  check(scout_chat_begin(chat, SCOUT_ROLE_USER));
  check(scout_chat_add_image(chat, image));
  check(scout_chat_add_text(chat, argc > 2 ? argv[2] : "What is in the picture?", SCOUT_NUL));
  scout_image_free(image); /* the chat keeps what it needs */
  check(scout_submit(engine, chat, NULL, &answer));
  while (scout_request_next(answer, SCOUT_WAIT, &event) == SCOUT_OK) {
    fwrite(event->text, 1, (size_t)event->text_size, stdout);
    fflush(stdout);
    if (event->stop == SCOUT_STOP_ERROR) failed = fprintf(stderr, "picture: %s\n", event->message);
  }
  printf("\n");
  scout_request_free(answer);
  scout_chat_free(chat);
  scout_engine_free(engine);
  scout_free(model);
  return failed != 0;
}
