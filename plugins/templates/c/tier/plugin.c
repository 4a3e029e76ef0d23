// Refuses calls on some days of the week.

#include "bindings/tier_policy.h"
typedef tier_policy_string_t string;
#include "tollgate.h"

static const char SCHEMA[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
    "\"properties\":{\"closed_on\":{"
    "\"description\":\"Days of the week, from 1 for Monday to 7 for Sunday.\","
    "\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":7}}},"
    "\"required\":[\"closed_on\"],\"additionalProperties\":false}";

static bool closed_on[8];

void exports_tollgate_policy_lifecycle_describe(
    exports_tollgate_policy_lifecycle_description_t *ret) {
  ret->name = text("{{name}}", NULL);
  ret->version = text("0.1.0", NULL);
  ret->needs.ptr = malloc(sizeof(string));
  ret->needs.ptr[0] = text("local-weekday", NULL);
  ret->needs.len = 1;
  ret->config_schema.is_some = true;
  ret->config_schema.val = text(SCHEMA, NULL);
}

bool exports_tollgate_policy_lifecycle_configure(
    string *config, exports_tollgate_policy_lifecycle_list_problem_t *problems) {
  bool found = false;
  char key[256];
  json json = json_of(*config);
  *problems = (exports_tollgate_policy_lifecycle_list_problem_t){0};
  json_enter(&json, '{');
  while (json_more(&json)) {
    json_text(&json, key);
    if (strcmp(key, "closed_on") != 0) {
      problem(problems, text("/", key, NULL), text("unknown field `", key, "`", NULL));
      json_skip(&json);
      continue;
    }
    found = json_enter(&json, '[');
    if (!found) {
      json_skip(&json);
      continue;
    }
    for (uint32_t i = 0, day = 0; json_more(&json); i++) {
      if (json_whole(&json, &day) && day >= 1 && day <= 7)
        closed_on[day] = true;
      else
        problem(problems, text("/closed_on/", digits(i), NULL),
                text("is no day of the week, 1 to 7", NULL));
    }
  }
  if (!found) problem(problems, text("/closed_on", NULL), text("expected a list of days", NULL));
  tier_policy_string_free(config);
  return problems->len == 0;
}

void exports_tollgate_policy_tiers_plans(exports_tollgate_policy_tiers_list_plan_t *ret) {
  *ret = (exports_tollgate_policy_tiers_list_plan_t){0};
}

void exports_tollgate_policy_tiers_evaluate(exports_tollgate_policy_tiers_call_t *call,
                                            exports_tollgate_policy_tiers_list_level_t *levels,
                                            exports_tollgate_policy_tiers_verdict_t *ret) {
  *ret = (exports_tollgate_policy_tiers_verdict_t){0};
  const string *today = fact(call, "local-weekday");
  if (today && closed_on[today->ptr[0] - '0']) {
    ret->refusal.is_some = true;
    ret->refusal.val = (exports_tollgate_policy_tiers_refusal_t){
        text("closed", NULL), text("We are closed today.", NULL), 0};
  }
  exports_tollgate_policy_tiers_call_free(call);
  exports_tollgate_policy_tiers_list_level_free(levels);
}
