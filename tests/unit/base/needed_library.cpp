extern "C" __attribute__((visibility("default"))) int needed_by_a_plugin();
extern "C" int needed_by_a_plugin() { return 7; }
