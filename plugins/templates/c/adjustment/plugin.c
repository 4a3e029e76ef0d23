// A margin on what calls cost.

#include "bindings/adjustment_policy.h"
typedef adjustment_policy_string_t string;
#include "tollgate.h"

static const char SCHEMA[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
    "\"properties\":{\"factor\":{"
    "\"description\":\"By what every charge is multiplied.\",\"type\":[\"string\",\"number\"]}},"
    "\"required\":[\"factor\"],\"additionalProperties\":false}";

static decimal factor;

void exports_tollgate_policy_lifecycle_describe(
    exports_tollgate_policy_lifecycle_description_t *ret) {
  *ret = (exports_tollgate_policy_lifecycle_description_t){0};
  ret->name = text("{{name}}", NULL);
  ret->version = text("0.1.0", NULL);
  ret->config_schema.is_some = true;
  ret->config_schema.val = text(SCHEMA, NULL);
}

bool exports_tollgate_policy_lifecycle_configure(
    string *config, exports_tollgate_policy_lifecycle_list_problem_t *problems) {
  char key[256];
  bool stated = false;
  json json = json_of(*config);
  *problems = (exports_tollgate_policy_lifecycle_list_problem_t){0};
  json_enter(&json, '{');
  while (json_more(&json)) {
    json_text(&json, key);
    if (strcmp(key, "factor") != 0) {
      problem(problems, text("/", key, NULL), text("unknown field `", key, "`", NULL));
      json_skip(&json);
    } else {
      stated = json_decimal(&json, &factor) && !factor.negative;
    }
  }
  if (!stated) problem(problems, text("/factor", NULL), text("is not a factor such as \"1.2\"", NULL));
  adjustment_policy_string_free(config);
  return problems->len == 0;
}

bool exports_tollgate_policy_adjustments_adjust(
    exports_tollgate_policy_adjustments_call_t *call, string *entry,
    exports_tollgate_policy_adjustments_list_charge_t *charges,
    exports_tollgate_policy_adjustments_list_charge_t *ret,
    exports_tollgate_policy_adjustments_failure_t *err) {
  // What was given is changed and handed back, so that it is not freed here.
  *ret = *charges;
  exports_tollgate_policy_adjustments_call_free(call);
  adjustment_policy_string_free(entry);
  for (size_t i = 0; i < ret->len; i++) {
    exports_tollgate_policy_adjustments_charge_t *charge = &ret->ptr[i];
    if (!decimal_times(charge->unit_price, factor, &charge->unit_price) ||
        !decimal_times(charge->amount, charge->unit_price, &charge->cost)) {
      err->code = text("inexact", NULL);
      err->message = text("the exact price does not fit into 28 digits", NULL);
      exports_tollgate_policy_adjustments_list_charge_free(ret);
      return false;
    }
  }
  return true;
}
