#include "predictor/operators.hpp"

#include <gtest/gtest.h>

namespace vcache::predictor {
namespace {

TEST(Operators, ArithmeticIsAllowed) {
  for (const char* kind :
       {"aten::linear", "aten::matmul", "aten::add", "aten::mul", "aten::relu", "aten::tanh",
        "aten::sigmoid", "aten::gelu", "aten::layer_norm", "aten::cat", "aten::reshape", "aten::to",
        "aten::clamp", "aten::Int", "prim::Constant", "prim::If", "prim::GetAttr"}) {
    EXPECT_TRUE(operator_allowed(kind)) << kind;
  }
}

TEST(Operators, EffectsAreNot) {
  for (const char* kind :
       {"aten::from_file", "aten::save", "aten::load", "aten::rand", "aten::manual_seed",
        "aten::set_", "aten::warn", "prim::Print", "prim::fork", "prim::SetAttr", "prim::PythonOp",
        "prim::CallMethod", "prim::CreateObject", "linear", "custom::linear", "aten::", ""}) {
    EXPECT_FALSE(operator_allowed(kind)) << kind;
  }
}

TEST(Operators, NoNameIsBothBuiltinAndForbidden) {
  for (const char* name : {"annotate", "getattr", "int", "range", "unchecked_cast"}) {
    EXPECT_TRUE(builtin_allowed(name)) << name;
    EXPECT_FALSE(name_forbidden(name)) << name;
  }
  for (const char* name : {"__setstate__", "from_file", "while", "open", "print"}) {
    EXPECT_FALSE(builtin_allowed(name)) << name;
    EXPECT_TRUE(name_forbidden(name)) << name;
  }
}

}  // namespace
}  // namespace vcache::predictor
