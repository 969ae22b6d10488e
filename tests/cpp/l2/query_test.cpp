#include "l2/query.hpp"

#include "cpp/l2/redis_fixture.hpp"

namespace vcache::l2 {
namespace {

using client::ReplyType;
using Commands = std::vector<std::vector<std::string>>;

class QueryTest : public RedisFixture {};

TEST_F(QueryTest, RepliesAreTrees) {
  const Commands commands = {
      {"PING"},      {"SET", "k", "v"}, {"MGET", "k", "no"},
      {"INCR", "n"}, {"NONSENSE"},      {"EVAL", "return {1,{'a',{2}},3}", "0"}};
  const auto replies = query(options(), commands);
  ASSERT_TRUE(replies.ok()) << replies.error().detail;
  const std::vector<QueryReply>& all = replies.value();
  ASSERT_EQ(all.size(), commands.size());
  EXPECT_EQ(all[0].text, "PONG");
  ASSERT_EQ(all[2].elements.size(), 2U);
  EXPECT_EQ(all[2].elements[0].text, "v");
  EXPECT_EQ(all[2].elements[1].type, ReplyType::kNil);
  EXPECT_EQ(all[3].integer, 1);
  EXPECT_EQ(all[4].type, ReplyType::kError);
  ASSERT_EQ(all[5].elements.size(), 3U);
  EXPECT_EQ(all[5].elements[1].elements[0].text, "a");
  EXPECT_EQ(all[5].elements[1].elements[1].elements[0].integer, 2);
  EXPECT_EQ(all[5].elements[2].integer, 3);
}

TEST_F(QueryTest, MapsAreKeysAndValuesInTurn) {
  const auto replies = query(options(), Commands{{"HELLO", "3"}});
  ASSERT_TRUE(replies.ok());
  const std::vector<QueryReply>& map = replies.value()[0].elements;
  ASSERT_EQ(map.size() % 2, 0U);
  EXPECT_EQ(map[0].text, "server");
}

TEST_F(QueryTest, AServerThatIsNotThereIsAnError) {
  server_.kill();
  EXPECT_EQ(query(options(), Commands{{"PING"}}).error().code, base::ErrorCode::kConnect);
}

}  // namespace
}  // namespace vcache::l2
