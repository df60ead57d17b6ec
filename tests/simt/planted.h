// Small kernels with a planted mistake: run as one block, and told of under every schedule.
#pragma once

#include <gpu_vendor.h>
#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "machine.h"

namespace scout::SCOUT_GPU {

template <auto kKernel, typename Arguments>
void RunKernel(const Arguments& arguments, unsigned threads, size_t shared_bytes, const simt::Schedule& schedule) {
  simt::Machine machine;
  simt::Launch launch;
  launch.threads = threads;
  launch.shared_bytes = shared_bytes;
  launch.warp = kWarp;
  launch.run = [](const void* a) { kKernel(*static_cast<const Arguments*>(a)); };
  launch.arguments = &arguments;
  machine.Run(launch, schedule);
}

// That run(schedule) tells one of the sentences, whatever the schedule.
template <typename Run>
void ExpectFault(std::span<const simt::Schedule> schedules, const std::vector<std::string>& sentences, const Run& run) {
  for (const simt::Schedule& schedule : schedules) {
    SCOPED_TRACE(schedule.seed);
    try {
      run(schedule);
      ADD_FAILURE() << "not caught: " << sentences.front();
    } catch (const simt::Fault& fault) {
      const std::string text = fault.what();
      bool told = false;
      for (const std::string& sentence : sentences) told = told || text.find(sentence) != std::string::npos;
      EXPECT_TRUE(told) << text << " instead of " << sentences.front();
    }
  }
}

}  // namespace scout::SCOUT_GPU
