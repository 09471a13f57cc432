// Which hone this is: "0.1.0".
#pragma once

namespace hone {

const char* Version();

}  // namespace hone
