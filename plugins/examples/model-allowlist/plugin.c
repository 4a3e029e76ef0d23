// Which models a plan may use.

#include "bindings/tier_policy.h"
typedef tier_policy_string_t string;
#include "tollgate.h"

static const char SCHEMA[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
    "\"properties\":{\"plans\":{"
    "\"description\":\"For a plan, the models that it may use: names, or the beginning of one and "
    "a *. A plan that is not here may use all.\","
    "\"type\":\"object\",\"additionalProperties\":{"
    "\"type\":\"array\",\"items\":{\"type\":\"string\",\"minLength\":1}}}},"
    "\"required\":[\"plans\"],\"additionalProperties\":false}";

static struct plan {
  char id[256];
  char (*models)[256];
  size_t count;
} *plans;
static size_t plans_count;

void exports_tollgate_policy_lifecycle_describe(
    exports_tollgate_policy_lifecycle_description_t *ret) {
  *ret = (exports_tollgate_policy_lifecycle_description_t){0};
  ret->name = text("model-allowlist", NULL);
  ret->version = text("0.1.0", NULL);
  ret->config_schema.is_some = true;
  ret->config_schema.val = text(SCHEMA, NULL);
}

// Reads a plan's list of models.
static void read_plan(json *json, exports_tollgate_policy_lifecycle_list_problem_t *problems) {
  struct plan plan = {0};
  json_text(json, plan.id);
  if (!json_enter(json, '[')) {
    problem(problems, text("/plans/", plan.id, NULL), text("expected a list of models", NULL));
    json_skip(json);
    return;
  }
  for (uint32_t i = 0; json_more(json); i++) {
    plan.models = realloc(plan.models, (plan.count + 1) * sizeof *plan.models);
    if (json_text(json, plan.models[plan.count]) && plan.models[plan.count][0])
      plan.count++;
    else
      problem(problems, text("/plans/", plan.id, "/", digits(i), NULL),
              text("is no name of a model", NULL));
  }
  plans = realloc(plans, (plans_count + 1) * sizeof *plans);
  plans[plans_count++] = plan;
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
    if (strcmp(key, "plans") == 0 && json_enter(&json, '{')) {
      found = true;
      while (json_more(&json)) read_plan(&json, problems);
      continue;
    }
    if (strcmp(key, "plans") != 0)
      problem(problems, text("/", key, NULL), text("unknown field `", key, "`", NULL));
    json_skip(&json);
  }
  if (!found) problem(problems, text("/plans", NULL), text("expected a table of plans", NULL));
  tier_policy_string_free(config);
  return problems->len == 0;
}

void exports_tollgate_policy_tiers_plans(exports_tollgate_policy_tiers_list_plan_t *ret) {
  *ret = (exports_tollgate_policy_tiers_list_plan_t){0};
}

static bool fits(string model, const char *pattern) {
  size_t length = strlen(pattern);
  if (pattern[length - 1] != '*') return is(model, pattern);
  return model.len >= length - 1 && memcmp(model.ptr, pattern, length - 1) == 0;
}

// The plan of a level that has a list without this model; NULL where there is none.
static const struct plan *without(const exports_tollgate_policy_tiers_level_t *level,
                                  string model) {
  for (size_t i = 0; level->plan.is_some && i < plans_count; i++) {
    if (!is(level->plan.val, plans[i].id)) continue;
    for (size_t j = 0; j < plans[i].count; j++)
      if (fits(model, plans[i].models[j])) return NULL;
    return &plans[i];
  }
  return NULL;
}

static string message(const struct plan *plan, string model) {
  char name[256] = {0};
  memcpy(name, model.ptr, model.len < 255 ? model.len : 255);
  return text("The plan ", plan->id, " does not include the model ", name, ".", NULL);
}

void exports_tollgate_policy_tiers_evaluate(exports_tollgate_policy_tiers_call_t *call,
                                            exports_tollgate_policy_tiers_list_level_t *levels,
                                            exports_tollgate_policy_tiers_verdict_t *ret) {
  *ret = (exports_tollgate_policy_tiers_verdict_t){0};
  for (size_t i = 0; call->model.is_some && !ret->refusal.is_some && i < levels->len; i++) {
    const struct plan *plan = without(&levels->ptr[i], call->model.val);
    if (!plan) continue;
    ret->refusal.is_some = true;
    ret->refusal.val = (exports_tollgate_policy_tiers_refusal_t){
        text("model_not_in_plan", NULL), message(plan, call->model.val), i};
  }
  exports_tollgate_policy_tiers_call_free(call);
  exports_tollgate_policy_tiers_list_level_free(levels);
}
