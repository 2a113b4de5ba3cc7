#include "testbench/plan/explain.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <functional>

#include "testbench/plan/prime_field.hpp"

namespace modmem::testbench {
namespace {

const std::vector<std::string> kNames = {"in_channels", "outputs", "in_rate", "out_rate",
                                         "blob_bytes"};

// Samples of a number that follows from channels, outputs, rate and blob.
class Samples {
 public:
  using Value = std::function<std::int64_t(const Facts&)>;

  explicit Samples(const Value& value) {
    for (const std::int64_t channels : {1, 2, 4, 8}) {
      for (const std::int64_t outputs : {1, 3}) {
        for (const std::int64_t rate : {16000, 44100, 48000}) {
          for (const std::int64_t blob : {0, 100, 260}) {
            facts_.push_back({{"in_channels", channels},
                              {"outputs", outputs},
                              {"in_rate", rate},
                              {"out_rate", 48000},
                              {"blob_bytes", blob}});
            samples_.push_back({&facts_.back(), value(facts_.back())});
          }
        }
      }
    }
  }

  const std::vector<Sample>& get() const { return samples_; }
  Explanation explain(const std::vector<std::vector<std::string>>& told_apart = {}) const {
    return modmem::testbench::explain(samples_, kNames, told_apart);
  }

 private:
  std::deque<Facts> facts_;
  std::vector<Sample> samples_;
};

TEST(PrimeFieldTest, SolvesWithoutRounding) {
  using Field = PrimeField;
  const auto row = [](std::initializer_list<std::int64_t> numbers) {
    Field::Row elements;
    for (const std::int64_t number : numbers) {
      elements.push_back(Field::element(number));
    }
    return elements;
  };
  // x = -5/3, y = 7
  const auto solution = Field::solve({row({3, 1, 2}), row({0, 2, 14}), row({6, -1, -17})});
  ASSERT_TRUE(solution);
  EXPECT_EQ(Field::fraction((*solution)[0], 1000, 100),
            std::pair(std::int64_t{-5}, std::int64_t{3}));
  EXPECT_EQ(Field::fraction((*solution)[1], 1000, 100),
            std::pair(std::int64_t{7}, std::int64_t{1}));
  EXPECT_FALSE(Field::solve({row({3, 1, 2}), row({0, 2, 14}), row({6, -1, -16})}));  // none
  EXPECT_FALSE(Field::solve({row({3, 1, 2}), row({6, 2, 4})}));  // more than one
  EXPECT_FALSE(Field::fraction(Field::element(1'000'003), 1000, 100));
}

TEST(ExplainTest, FindsConstantsAndMultiples) {
  const Samples constant([](const Facts&) { return 48; });
  EXPECT_EQ(constant.explain().value.to_text(), "48");
  const Samples multiple([](const Facts& facts) { return 40 * facts.at("in_channels"); });
  EXPECT_EQ(multiple.explain().value.to_text(), "40*in_channels");
  const Samples sum([](const Facts& facts) { return 24 + facts.at("in_rate") / 100 * 3; });
  EXPECT_EQ(sum.explain().value.to_text(), "3/100*in_rate + 24");
}

TEST(ExplainTest, FindsProductsAndConditions) {
  const Samples product([](const Facts& facts) {
    return facts.at("blob_bytes") == 0
               ? 0
               : facts.at("in_channels") * (facts.at("blob_bytes") / 2 - 30);
  });
  const Explanation explained = product.explain();
  EXPECT_EQ(explained.value.to_text(), "1/2*in_channels*blob_bytes - 30*in_channels");
  EXPECT_EQ(explained.when.to_text(), "blob_bytes");
  EXPECT_TRUE(explained.exact);
  const Samples differ([](const Facts& facts) { return facts.at("in_rate") != 48000 ? 104 : 0; });
  EXPECT_EQ(differ.explain().when.to_text(), "in_rate != out_rate");
}

TEST(ExplainTest, FallsBackToCasesThatShareAFactor) {
  const Samples by_rate([](const Facts& facts) {
    const std::int64_t rate = facts.at("in_rate");
    return facts.at("in_channels") * (rate == 16000 ? 7 : rate == 44100 ? 100 : 31);
  });
  EXPECT_FALSE(explain_by_formula(by_rate.get(), kNames));
  const Explanation explained = by_rate.explain({{"outputs"}, {"in_rate"}});
  EXPECT_EQ(explained.by, std::vector<std::string>{"in_rate"});
  ASSERT_EQ(explained.cases.size(), 3U);
  EXPECT_EQ(explained.cases[1].values, std::vector<std::int64_t>{44100});
  EXPECT_EQ(explained.cases[1].bytes.to_text(), "100*in_channels");
}

TEST(ExplainTest, WhatNothingExplainsIsNeverUnderstated) {
  const Samples odd([](const Facts& facts) {
    return facts.at("in_channels") * 100 + facts.at("in_rate") * facts.at("outputs") % 7;
  });
  const Explanation explained = odd.explain({{"in_rate"}});
  EXPECT_FALSE(explained.exact);
  for (const Sample& sample : odd.get()) {
    EXPECT_GE(explained.value.value(*sample.facts), sample.value);
  }
}

TEST(ExplainTest, AFewSamplesBearOutNoFormula) {
  // As many coefficients as samples explain anything.
  const Facts one{{"in_channels", 1}};
  const Facts two{{"in_channels", 2}};
  EXPECT_FALSE(explain_by_formula({{&one, 10}, {&two, 30}}, kNames));
}

}  // namespace
}  // namespace modmem::testbench
