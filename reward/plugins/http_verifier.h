// A verifier that answers by HTTP: a reward model, or anything else that is a server.
//
// POST of {"samples": [{"prompt", "completion", "columns": {…}, "group", "index", "options": {…}},
// …]}, answered by {"rewards": […]}, in the same order, one for each: a number; null when it cannot
// decide; {"error": text} when it can say why.
#pragma once

#include <memory>
#include <string>

#include "reward/plugins/http_connection.h"
#include "reward/verify.h"

namespace hone {

struct HttpPlan {
  std::string name;  // of the verifier
  HttpTarget target;
  Json options = Json::object();  // passed on with each sample
  double timeout_s = 120;         // for the rewards of a group, all tries together
  int retries = 2;                // after no reply, or one that says that another try may go well
  int batch_size = 256;           // samples of one group in a request, at most
  int connections = 4;            // at once, at most; each serves one group at a time
};

bool IsUrl(const std::string& verifier);

// The plan of a [[reward]] table whose verifier is a URL. Options: timeout_s, retries, batch_size,
// connections, headers (a list of "Name: value"), api_key_env (the environment variable that holds
// the key, sent as a bearer token: a secret never stands in a config), ca_file; all others are the
// verifier's own. Throws UsageError for what is wrong with them, or when the variable is not set.
HttpPlan PlanHttp(const RewardConfig& config);

// Connects when it is first asked. When the server answers a batch with what is no answer, or
// breaks, it is asked for one sample at a time, so that no other than the one to blame gets an
// error; when it cannot be reached, or is late, all get one.
std::unique_ptr<Verifier> MakeHttpVerifier(HttpPlan plan);

}  // namespace hone
