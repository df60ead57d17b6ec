// A JSON object as metadata: config.json with the paths of its values as keys.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "io/metadata_store.h"

namespace scout::io {

// {"a": {"b": 1, "c": [1, 2], "d": [{"e": true}], "f": null}} becomes a.b = 1, a.c = [1, 2], a.d.0.e = true, and a.f is null.
// A list of numbers is of integers when all are, otherwise of floats; a list of bools or strings is one of those; a list that
// mixes kinds is left out. Throws kFormat, also when two paths come out equal, and kLimit when the paths together take more
// than 2 MiB or there are more than 32,768 values.
std::unique_ptr<MetadataStore> FlattenJson(std::string_view text, std::string_view name);

}  // namespace scout::io
