// Verifiers that are servers, and all that can go wrong with them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "common/error.h"
#include "plugins/small_server.h"
#include "reward/plugins/child_process.h"
#include "reward/verify.h"

namespace hone {
namespace {
namespace fs = std::filesystem;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

std::unique_ptr<Verifier> Make(const std::string& url, const Json& options = Json::object()) {
  RewardConfig config;
  config.verifier = url;
  config.options = options;
  return MakeVerifier(config, /*seed=*/0);
}

std::vector<Verdict> ScoreAll(const Verifier& verifier,
                              const std::vector<std::string>& completions) {
  const Json columns = {{"answer", 42}};
  std::vector<Sample> samples;
  for (const std::string& completion : completions) {
    samples.push_back({.prompt = "p",
                       .completion = completion,
                       .columns = columns,
                       .group = 17,
                       .index = static_cast<uint32_t>(samples.size())});
  }
  ScoringWatch unwatched;
  return verifier.ScoreBatch(samples, unwatched);
}

// The length of each completion.
Json Lengths(const std::string& body) {
  Json rewards = Json::array();
  const Json request = Json::parse(body);
  for (const Json& sample : request["samples"]) {
    rewards.push_back(sample["completion"].get<std::string>().size());
  }
  return rewards;
}

std::string Good(const std::string& body) {
  return HttpResponse("200 OK", Dump(Json{{"rewards", Lengths(body)}}));
}

// A server that answers `fault` to any request with a completion "bad", and well to all others.
SmallServer::Answer BadAt(const std::string& fault) {
  return [fault](const std::string&, const std::string& body) {
    return body.find("\"bad\"") == std::string::npos ? Good(body) : fault;
  };
}

SmallServer::Answer Always(const std::string& response) {
  return [response](const std::string&, const std::string&) { return response; };
}

// That the sample "bad" alone gets an error that says this, and the others their rewards.
void ExpectOneError(const std::string& fault, ErrorCause cause, const std::string& message) {
  SmallServer server(BadAt(fault));
  const auto verdicts = ScoreAll(*Make(server.url(), {{"retries", 0}}), {"abc", "bad", "abcd"});
  ASSERT_EQ(verdicts.size(), 3U);
  EXPECT_EQ(verdicts[0].reward, 3);
  EXPECT_FALSE(verdicts[0].error) << *verdicts[0].error;
  ASSERT_TRUE(verdicts[1].error) << message;
  EXPECT_THAT(*verdicts[1].error, HasSubstr(message));
  EXPECT_EQ(verdicts[1].cause, cause) << message;
  EXPECT_EQ(verdicts[2].reward, 4);
  EXPECT_FALSE(verdicts[2].error) << *verdicts[2].error;
}

// That all samples get an error that says this, in `requests` requests.
void ExpectAllErrors(const Verifier& verifier, ErrorCause cause, const std::string& message) {
  for (const Verdict& verdict : ScoreAll(verifier, {"abc", "abcd", "abcde"})) {
    ASSERT_TRUE(verdict.error) << message;
    EXPECT_THAT(*verdict.error, HasSubstr(message));
    EXPECT_EQ(verdict.cause, cause) << message;
  }
}

void ExpectUsageError(const std::string& url, const Json& options, const std::string& message) {
  try {
    Make(url, options);
    FAIL() << "expected an error that says: " << message;
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

TEST(HttpVerifierTest, AGroupIsOneRequestAndKeepsItsOrder) {
  std::string seen_head, seen_body;
  SmallServer server([&](const std::string& head, const std::string& body) {
    seen_head = head;
    seen_body = body;
    return Good(body);
  });
  const auto verifier =
      Make(server.url("/v1/length.judge"), {{"bonus", 2.5}, {"headers", {"X-Tenant: a b"}}});
  EXPECT_EQ(verifier->name(), "length_judge");
  std::vector<std::string> completions;
  for (size_t i = 0; i < 100; ++i) completions.emplace_back(i, 'x');
  const auto verdicts = ScoreAll(*verifier, completions);
  ASSERT_EQ(verdicts.size(), 100U);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(verdicts[i].reward, i);
  ScoreAll(*verifier, {"abc", "d"});
  EXPECT_EQ(server.requests(), 2);
  EXPECT_EQ(server.connections(), 1);
  EXPECT_THAT(seen_head, HasSubstr("POST /v1/length.judge HTTP/1.1"));
  EXPECT_THAT(seen_head, HasSubstr("Content-Type: application/json"));
  EXPECT_THAT(seen_head, HasSubstr("X-Tenant: a b"));
  EXPECT_EQ(Json::parse(seen_body)["samples"][1], (Json{{"prompt", "p"},
                                                        {"completion", "d"},
                                                        {"columns", {{"answer", 42}}},
                                                        {"group", 17},
                                                        {"index", 1},
                                                        {"options", {{"bonus", 2.5}}}}));
}

TEST(HttpVerifierTest, ALargeGroupIsCutIntoBatches) {
  SmallServer server([](const std::string&, const std::string& body) { return Good(body); });
  const auto verdicts = ScoreAll(*Make(server.url(), {{"batch_size", 3}}),
                                 std::vector<std::string>(10, std::string(300'000, 'y')));
  for (const Verdict& verdict : verdicts) EXPECT_EQ(verdict.reward, 300'000);
  EXPECT_EQ(verdicts.size(), 10U);
  EXPECT_EQ(server.requests(), 4);
}

TEST(HttpVerifierTest, ARewardIsANumberOrNullOrAnError) {
  SmallServer server(Always(HttpResponse(
      "200 OK", R"({"rewards": [0.5, null, {"error": "too hard"}, {"reward": 2}, "x"]})")));
  const auto verdicts = ScoreAll(*Make(server.url()), {"a", "b", "c", "d", "e"});
  EXPECT_EQ(verdicts[0].reward, 0.5);
  EXPECT_THAT(*verdicts[1].error, HasSubstr("null"));
  EXPECT_EQ(verdicts[1].cause, ErrorCause::kUndecided);
  EXPECT_EQ(*verdicts[2].error, "too hard");
  EXPECT_EQ(verdicts[3].reward, 2);
  EXPECT_THAT(*verdicts[4].error, HasSubstr("expected a number, null"));
  EXPECT_EQ(verdicts[4].cause, ErrorCause::kCrash);
}

TEST(HttpVerifierTest, AReplyInChunksIsRead) {
  SmallServer server(
      Always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             "8\r\n{\"reward\r\n9\r\ns\": [1.5]\r\n1\r\n}\r\n0\r\n\r\n"));
  EXPECT_EQ(ScoreAll(*Make(server.url()), {"a"})[0].reward, 1.5);
}

TEST(HttpVerifierTest, OnlyTheSampleThatBreaksTheServerGetsAnError) {
  const auto crash = ErrorCause::kCrash;
  ExpectOneError(HttpResponse("500 Oh no", "a traceback"), crash,
                 "HTTP status 500: \"a traceback\"");
  ExpectOneError(HttpResponse("422 No", "{}"), crash, "HTTP status 422");
  ExpectOneError("", crash, "the connection broke");
  ExpectOneError(HttpResponse("200 OK", "<html>"), crash, "one JSON value");
  ExpectOneError(HttpResponse("200 OK", R"({"rewards": [NaN]})"), crash, "NaN and Infinity");
  ExpectOneError(HttpResponse("200 OK", R"({"rewards": [1e999]})"), crash, "JSON");
  ExpectOneError(HttpResponse("200 OK", std::string(100'000, '[')), crash, "levels");
  ExpectOneError(HttpResponse("200 OK", R"({"scores": [1]})"), crash, "expected {\"rewards\"");
  ExpectOneError(HttpResponse("200 OK", R"({"rewards": [1, 2]})"), crash,
                 "expected 1 rewards, found 2");
}

TEST(HttpVerifierTest, AReplyWithoutEndIsCutOff) {
  ExpectOneError(HttpResponse("200 OK", std::string(size_t{17} << 20, ' ')), ErrorCause::kCrash,
                 "more than 16 MiB");
  std::string chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20; ++i) chunks += "100000\r\n" + std::string(1 << 20, ' ') + "\r\n";
  ExpectOneError(chunks, ErrorCause::kCrash, "more than 16 MiB");
}

TEST(HttpVerifierTest, ARedirectIsNotFollowed) {
  SmallServer other(Always(HttpResponse("200 OK", R"({"rewards": [1, 1, 1]})")));
  SmallServer server(
      Always(HttpResponse("307 Over there", "", "Location: " + other.url() + "\r\n")));
  ExpectAllErrors(*Make(server.url()), ErrorCause::kCrash,
                  "redirect to " + other.url() + ", which is not followed");
  EXPECT_EQ(other.requests(), 0);
  EXPECT_EQ(server.requests(), 1);
}

TEST(HttpVerifierTest, ARefusalIsSaidOnceForAll) {
  SmallServer server(Always(HttpResponse("401 Who are you", "")));
  ExpectAllErrors(*Make(server.url()), ErrorCause::kCrash, "api_key_env");
  EXPECT_EQ(server.requests(), 1);
}

TEST(HttpVerifierTest, AServerThatIsBusyIsAskedAgain) {
  int left = 2;
  SmallServer server([&](const std::string&, const std::string& body) {
    return left-- > 0 ? HttpResponse("503 Busy", "") : Good(body);
  });
  for (const Verdict& verdict : ScoreAll(*Make(server.url()), {"abc", "def"})) {
    EXPECT_EQ(verdict.reward, 3);
  }
  EXPECT_EQ(server.requests(), 3);
  left = 1000;
  ExpectAllErrors(*Make(server.url(), {{"retries", 1}}), ErrorCause::kCrash, "HTTP status 503");
  EXPECT_EQ(server.requests(), 5);
}

TEST(HttpVerifierTest, AServerThatIsNotThereGivesErrors) {
  std::string url;
  {
    SmallServer server(Always(""));
    url = server.url();
  }
  ExpectAllErrors(*Make(url, {{"retries", 1}}), ErrorCause::kCrash, "cannot be reached");
  ExpectAllErrors(*Make("http://nowhere.invalid/score", {{"retries", 0}}), ErrorCause::kCrash,
                  "cannot be reached");
}

TEST(HttpVerifierTest, TheDeadlineIsOfTheWholeGroup) {
  SmallServer server([&](const std::string&, const std::string& body) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    return Good(body);
  });
  const auto begin = steady_clock::now();
  ExpectAllErrors(*Make(server.url(), {{"timeout_s", 0.5}, {"retries", 5}}), ErrorCause::kTimeout,
                  "no rewards within 0.5 s");
  EXPECT_LT(steady_clock::now() - begin, std::chrono::milliseconds(1400));
  // A byte now and then does not move it.
  SmallServer dripping([&](const std::string&, const std::string&) {
    return "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{";
  });
  ExpectAllErrors(*Make(dripping.url(), {{"timeout_s", 0.5}}), ErrorCause::kTimeout,
                  "within 0.5 s");
}

TEST(HttpVerifierTest, NoProxyOfTheEnvironmentIsUsed) {
  SmallServer proxy(Always(HttpResponse("200 OK", R"({"rewards": [7]})")));
  SmallServer server([](const std::string&, const std::string& body) { return Good(body); });
  setenv("http_proxy", proxy.url("").c_str(), 1);
  EXPECT_EQ(ScoreAll(*Make(server.url()), {"abc"})[0].reward, 3);
  unsetenv("http_proxy");
  EXPECT_EQ(proxy.requests(), 0);
}

TEST(HttpVerifierTest, TheKeyComesFromTheEnvironment) {
  std::string seen;
  SmallServer server([&](const std::string& head, const std::string& body) {
    seen = head;
    return Good(body);
  });
  const Json options = {{"api_key_env", "HONE_TEST_KEY"}};
  unsetenv("HONE_TEST_KEY");
  ExpectUsageError(server.url(), options, "HONE_TEST_KEY, which is not set");
  setenv("HONE_TEST_KEY", "two\r\nlines: of a header", 1);
  ExpectUsageError(server.url(), options, "printable");
  setenv("HONE_TEST_KEY", "s3cret", 1);
  ScoreAll(*Make(server.url(), options), {"abc"});
  unsetenv("HONE_TEST_KEY");
  EXPECT_THAT(seen, HasSubstr("Authorization: Bearer s3cret"));
}

TEST(HttpVerifierTest, WhatCannotBeMeantIsRefused) {
  ExpectUsageError("ftp://host/x", {}, "http:// or https://");
  ExpectUsageError("file:///etc/passwd", {}, "http:// or https://");
  ExpectUsageError("http://", {}, "expected http://host:port/path");
  ExpectUsageError("http://host:99999/", {}, "expected http://host:port/path");
  ExpectUsageError("http://me:secret@host/", {}, "api_key_env");
  ExpectUsageError("http://host/#part", {}, "fragment");
  ExpectUsageError("http://host/", {{"timeout_s", -1}}, "timeout_s");
  ExpectUsageError("http://host/", {{"headers", "no colon"}}, "expected a list of \"Name: value\"");
  ExpectUsageError("http://host/", {{"headers", {"A: b\r\nC: d"}}}, "Name: value");
  ExpectUsageError("http://host/", {{"headers", {"authorization: Bearer x"}}}, "api_key_env");
  ExpectUsageError("http://host/", {{"headers", {"Content-Length: 7"}}}, "hone writes this one");
  ExpectUsageError("https://host/", {{"ca_file", "/no/such.pem"}}, "no such file");
}

TEST(HttpVerifierTest, SeveralGroupsAtOnceUseSeveralConnections) {
  SmallServer server([](const std::string&, const std::string& body) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return Good(body);
  });
  const auto verifier = Make(server.url(), {{"connections", 3}});
  std::vector<std::jthread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5; ++i) EXPECT_EQ(ScoreAll(*verifier, {"abc"})[0].reward, 3);
    });
  }
  threads.clear();
  EXPECT_EQ(server.connections(), 3);
}

// The example, as a user would start it: it says its address on standard output.
TEST(ExampleVerifierTest, TheServerRuns) {
  ChildProcess server({HONE_SOURCE_DIR "/examples/verifiers/reward_server.py", "--port", "0"});
  std::string line;
  ASSERT_EQ(server.ReadLine(&line, steady_clock::now() + std::chrono::seconds(60)),
            ChildProcess::Answer::kLine);
  const auto verdicts = ScoreAll(*Make(line), {"It is 42", "It is 41"});
  ASSERT_FALSE(verdicts[0].error) << *verdicts[0].error;
  EXPECT_EQ(verdicts[0].reward, 1);
  EXPECT_EQ(verdicts[1].reward, 0);
}

// Certificates are checked: one that this machine does not know is refused, until ca_file names it.
TEST(HttpVerifierTest, CertificatesAreChecked) {
  const fs::path folder = fs::temp_directory_path() / ("hone_tls_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string pem = (folder / "server.pem").string();
  const std::string make =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
      "-addext subjectAltName=DNS:localhost -keyout " +
      pem + " -out " + pem + ".crt 2>/dev/null && cat " + pem + ".crt >> " + pem;
  ASSERT_EQ(std::system(make.c_str()), 0) << "openssl could not make a certificate";
  {
    ChildProcess server({HONE_SOURCE_DIR "/examples/verifiers/reward_server.py", "--port", "0",
                         "--certificate", pem});
    std::string url;
    ASSERT_EQ(server.ReadLine(&url, steady_clock::now() + std::chrono::seconds(60)),
              ChildProcess::Answer::kLine);
    ASSERT_TRUE(url.starts_with("https://localhost:")) << url;
    ExpectAllErrors(*Make(url, {{"retries", 0}}), ErrorCause::kCrash, "certificate");
    const Json trusted = {{"ca_file", pem + ".crt"}};
    EXPECT_EQ(ScoreAll(*Make(url, trusted), {"It is 42"})[0].reward, 1);
    const std::string other_name = "https://127.0.0.1" + url.substr(url.rfind(':'));
    ExpectAllErrors(*Make(other_name, {{"ca_file", pem + ".crt"}, {"retries", 0}}),
                    ErrorCause::kCrash, "certificate");
  }
  fs::remove_all(folder);
}

}  // namespace
}  // namespace hone
