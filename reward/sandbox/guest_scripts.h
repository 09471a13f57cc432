// The Python of sandbox/guest/ that runs inside sandboxes, as text of this program.
#pragma once

namespace hone::sandbox {

extern const char* const k_wire_py;
extern const char* const k_agent_py;
extern const char* const k_judge_py;

}  // namespace hone::sandbox
