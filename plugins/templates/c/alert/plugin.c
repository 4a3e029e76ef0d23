// Warns once when a quota reaches a share of its limit.

#include "bindings/alert_policy.h"
typedef alert_policy_string_t string;
#include "tollgate.h"

static const char SCHEMA[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
    "\"properties\":{\"percent\":{"
    "\"description\":\"From which share of the limit on, in percent.\","
    "\"type\":\"integer\",\"minimum\":1}},"
    "\"required\":[\"percent\"],\"additionalProperties\":false}";

static uint32_t percent;

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
  json json = json_of(*config);
  *problems = (exports_tollgate_policy_lifecycle_list_problem_t){0};
  json_enter(&json, '{');
  while (json_more(&json)) {
    json_text(&json, key);
    if (strcmp(key, "percent") == 0) {
      if (!json_whole(&json, &percent)) percent = 0;
    } else {
      problem(problems, text("/", key, NULL), text("unknown field `", key, "`", NULL));
      json_skip(&json);
    }
  }
  if (!percent)
    problem(problems, text("/percent", NULL), text("must be a whole number from 1", NULL));
  alert_policy_string_free(config);
  return problems->len == 0;
}

// Whether a quota has reached the share of its limit, and nobody was told.
static bool is_due(const exports_tollgate_policy_alerts_reading_t *reading) {
  for (size_t i = 0; i < reading->raised.len; i++)
    if (reading->raised.ptr[i] == percent) return false;
  return decimal_compare(reading->after, 100, reading->limit, percent) >= 0;
}

void exports_tollgate_policy_alerts_due(exports_tollgate_policy_alerts_list_reading_t *readings,
                                        exports_tollgate_policy_alerts_list_alert_t *ret) {
  ret->ptr = calloc(readings->len, sizeof *ret->ptr);
  ret->len = 0;
  for (size_t i = 0; i < readings->len; i++) {
    const exports_tollgate_policy_alerts_reading_t *reading = &readings->ptr[i];
    if (!is_due(reading)) continue;
    char quota[256] = {0};
    memcpy(quota, reading->quota.ptr, reading->quota.len < 255 ? reading->quota.len : 255);
    ret->ptr[ret->len++] = (exports_tollgate_policy_alerts_alert_t){
        .reading = i,
        .threshold = percent,
        .kind = text("usage_warning", NULL),
        .severity = text("warning", NULL),
        .title = text(digits(percent), " % of ", quota, " are used", NULL),
        .message = text(decimal_text(reading->after), " of ", decimal_text(reading->limit),
                        " are used.", NULL),
    };
  }
  // The bindings free a list only where something is in it.
  if (!ret->len) free(ret->ptr);
  exports_tollgate_policy_alerts_list_reading_free(readings);
}

void exports_tollgate_policy_alerts_recommend(
    exports_tollgate_policy_alerts_list_reading_t *readings,
    exports_tollgate_policy_alerts_list_recommendation_t *ret) {
  *ret = (exports_tollgate_policy_alerts_list_recommendation_t){0};
  exports_tollgate_policy_alerts_list_reading_free(readings);
}
