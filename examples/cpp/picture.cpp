// A question about a picture. Usage: picture [MODEL [QUESTION [FILE]]]; without a file, about one that is drawn here.
#include <cstdlib>
#include <iostream>
#include <vector>

#include "scout_owners.h"

namespace {

using namespace scout_example;

// A red circle and a blue square on white.
Image Draw() {
  constexpr int kSide = 96, kHalf = kSide / 2, kReach = 18;
  std::vector<char> pixels;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      const int across = x % kHalf - kHalf / 2, down = y - kSide / 2;
      const bool left = x < kHalf;
      const bool inside =
          left ? across * across + down * down <= kReach * kReach : std::abs(across) <= kReach && std::abs(down) <= kReach;
      for (const int value : !inside ? std::vector{244, 244, 244} : left ? std::vector{220, 30, 30} : std::vector{40, 70, 225})
        pixels.push_back(static_cast<char>(value));
    }
  }
  scout_image* image = nullptr;
  Check(scout_image_from_pixels(pixels.data(), pixels.size(), kSide, kSide, 0, 3, nullptr, &image));
  return Image(image);
}

Image Open(const char* path) {  // PNG, JPEG or WebP
  scout_image* image = nullptr;
  Check(scout_image_from_file(path, nullptr, &image));
  return Image(image);
}

}  // namespace

int main(int argc, char** argv) try {
  scout_load_options options;
  Check(scout_load_options_init(&options, sizeof options));
  options.vision = 1;  // the tower that sees is loaded when it is asked for
  const Model model = Load(argc > 1 ? argv[1] : "scout-tiny", &options);
  const Engine engine = EngineOf(model);
  scout_chat* made = nullptr;
  Check(scout_chat_new(model.get(), &made));
  const Chat chat(made);
  Check(scout_chat_begin(chat.get(), SCOUT_ROLE_USER));
  Check(scout_chat_add_image(chat.get(), (argc > 3 ? Open(argv[3]) : Draw()).get()));  // the chat keeps what it needs
  Check(scout_chat_add_text(chat.get(), argc > 2 ? argv[2] : "What is in the picture?", SCOUT_NUL));
  scout_request* asked = nullptr;
  Check(scout_submit(engine.get(), chat.get(), nullptr, &asked));
  const Request answer(asked);
  const scout_event* event = nullptr;
  while (scout_request_next(answer.get(), SCOUT_WAIT, &event) == SCOUT_OK) {
    std::cout << TextOf(*event) << std::flush;
    if (event->stop == SCOUT_STOP_ERROR) throw std::runtime_error(event->message);
  }
  std::cout << "\n";
} catch (const std::exception& error) {
  std::cerr << "picture: " << error.what() << "\n";
  return 1;
}
