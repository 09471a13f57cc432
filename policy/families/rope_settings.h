// Rotary embedding as config.json describes it.
#pragma once

#include "policy/families/config_reader.h"

namespace hone {

// What a family lets its config.json say.
struct RopeRules {
  bool partial = false;        // partial_rotary_factor other than 1
  bool longrope_only = false;  // no scaling but longrope, which may be called "su" or "yarn"
};

// Reads theta, scaling and how much of a head turns. transformers 4: "rope_theta" and
// "rope_scaling" at the top; 5: both in "rope_parameters". Needs the sizes. Where a scaling has the
// frequencies depend on a sequence's length (longrope), sequences end where they would change.
void ReadRope(const ConfigReader& json, const RopeRules& rules, ModelConfig* config);
// The same of one such object and a theta for when it has none; `top`: what it lies in.
void ReadRopeObject(const ConfigReader& rope, const ConfigReader& top, const RopeRules& rules,
                    double theta, ModelConfig* config);

}  // namespace hone
