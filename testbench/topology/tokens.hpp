// The vendor tokens of Sound Open Firmware that the loader decodes. Numbers are the driver's.
#pragma once

#include <cstdint>

namespace modmem::testbench::token {

// Buffers.
inline constexpr std::uint32_t kBufferSize = 100;
inline constexpr std::uint32_t kBufferCaps = 101;

// DAIs (the direction stands on host copiers too).
inline constexpr std::uint32_t kDaiDmacConfig = 153;
inline constexpr std::uint32_t kDaiType = 154;
inline constexpr std::uint32_t kDaiIndex = 155;
inline constexpr std::uint32_t kDirection = 156;

// Pipelines.
inline constexpr std::uint32_t kPipelinePeriod = 200;
inline constexpr std::uint32_t kPipelinePriority = 201;
inline constexpr std::uint32_t kPipelineMips = 202;
inline constexpr std::uint32_t kPipelineCore = 203;
inline constexpr std::uint32_t kPipelineTimeDomain = 205;
inline constexpr std::uint32_t kPipelineDynamic = 206;
inline constexpr std::uint32_t kPipelineLowPower = 207;
inline constexpr std::uint32_t kPipelineChainDma = 209;
inline constexpr std::uint32_t kPipelineDirection = 211;
inline constexpr std::uint32_t kPipelineDirectionValid = 212;

// Gain.
inline constexpr std::uint32_t kGainCurveType = 260;
inline constexpr std::uint32_t kGainCurveDuration = 261;
inline constexpr std::uint32_t kGainInitialValue = 262;

// Sample rate converters.
inline constexpr std::uint32_t kSrcRateIn = 300;
inline constexpr std::uint32_t kSrcRateOut = 301;
inline constexpr std::uint32_t kAsrcRateOut = 321;

// Every module.
inline constexpr std::uint32_t kCoreId = 404;
inline constexpr std::uint32_t kUuid = 405;
inline constexpr std::uint32_t kCyclesPerChunk = 406;
inline constexpr std::uint32_t kIsPages = 409;
inline constexpr std::uint32_t kInputPins = 411;
inline constexpr std::uint32_t kOutputPins = 412;
inline constexpr std::uint32_t kInputPinBinding = 413;
inline constexpr std::uint32_t kOutputPinBinding = 414;
inline constexpr std::uint32_t kInputFormats = 415;
inline constexpr std::uint32_t kOutputFormats = 416;
inline constexpr std::uint32_t kSchedulerDomain = 418;
inline constexpr std::uint32_t kDomainId = 419;
inline constexpr std::uint32_t kStackBytes = 420;
inline constexpr std::uint32_t kHeapBytes = 421;

// Mixin and mixout.
inline constexpr std::uint32_t kMixType = 1700;

// Pin formats: an input token and its output twin are kOutputFormatDelta apart, ibs and obs are
// not.
inline constexpr std::uint32_t kFormatRate = 1900;
inline constexpr std::uint32_t kFormatBits = 1901;
inline constexpr std::uint32_t kFormatValidBits = 1902;
inline constexpr std::uint32_t kFormatChannels = 1903;
inline constexpr std::uint32_t kFormatChannelMap = 1904;
inline constexpr std::uint32_t kFormatChannelConfig = 1905;
inline constexpr std::uint32_t kFormatInterleaving = 1906;
inline constexpr std::uint32_t kFormatConfig = 1907;
inline constexpr std::uint32_t kFormatSampleType = 1908;
inline constexpr std::uint32_t kFormatPin = 1909;
inline constexpr std::uint32_t kOutputFormatDelta = 30;
inline constexpr std::uint32_t kInputBufferBytes = 1970;
inline constexpr std::uint32_t kOutputBufferBytes = 1971;

// Copiers.
inline constexpr std::uint32_t kCopierNodeType = 1980;
inline constexpr std::uint32_t kCopierDeepBufferMs = 1981;

}  // namespace modmem::testbench::token
