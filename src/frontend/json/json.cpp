#include "frontend/frontend.hpp"
namespace skerry::frontend {
extern const Frontend json_frontend;
const Frontend json_frontend = {"json", "a JSON gate list", [](const Source&) { return false; }, nullptr};
}
