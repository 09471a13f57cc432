#include "transport/address.h"

#include <gtest/gtest.h>

#include "common/error.h"

namespace hone {
namespace {

TEST(AddressTest, WhatOnlyThisMachineReachesIsAccepted) {
  for (const char* address : {"ipc:///run/user/1000/hone", "ipc://hone.sock",
                              "tcp://127.0.0.1:5555", "tcp://127.0.0.1:1", "tcp://[::1]:65535"}) {
    EXPECT_NO_THROW(CheckLocalAddress("bind", address)) << address;
  }
}

TEST(AddressTest, EverythingElseIsRefusedWithTheReason) {
  for (const char* address : {"",
                              "hone",
                              "inproc://broker",
                              "ipc://",
                              "ipc://*",
                              "ipc://@hone",
                              "tcp://*:5555",
                              "tcp://0.0.0.0:5555",
                              "tcp://[::]:5555",
                              "tcp://localhost:5555",
                              "tcp://192.168.1.7:5555",
                              "tcp://127.0.0.1",
                              "tcp://127.0.0.1:",
                              "tcp://127.0.0.1:0",
                              "tcp://127.0.0.1:*",
                              "tcp://127.0.0.1:65536",
                              "tcp://127.0.0.1:55x",
                              "tcp://127.0.0.1:1;tcp://0.0.0.0:1",
                              "tcp://127.0.0.1.example.com:80",
                              "udp://127.0.0.1:5555",
                              "pgm://127.0.0.1:5555"}) {
    try {
      CheckLocalAddress("[transport] bind", address);
      ADD_FAILURE() << address << " was accepted";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("[transport] bind: expected ipc://PATH"),
                std::string::npos)
          << error.what();
    }
  }
}

}  // namespace
}  // namespace hone
