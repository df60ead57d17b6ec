// The file whose precompiled headers the rooms share where they are instrumented.
