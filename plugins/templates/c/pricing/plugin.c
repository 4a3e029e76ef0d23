// A flat price for each call to some providers.

#include "bindings/pricing_policy.h"
typedef pricing_policy_string_t string;
#include "tollgate.h"

static const char SCHEMA[] =
    "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
    "\"properties\":{\"prices\":{"
    "\"description\":\"What a call to a provider costs, in USD.\","
    "\"type\":\"object\",\"additionalProperties\":{\"type\":[\"string\",\"number\"]}}},"
    "\"required\":[\"prices\"],\"additionalProperties\":false}";

static struct price {
  char provider[256];
  decimal usd;
} *prices;
static size_t prices_count;

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
    if (strcmp(key, "prices") != 0)
      problem(problems, text("/", key, NULL), text("unknown field `", key, "`", NULL));
    if (strcmp(key, "prices") != 0 || !json_enter(&json, '{')) {
      json_skip(&json);
      continue;
    }
    while (json_more(&json)) {
      struct price price;
      json_text(&json, price.provider);
      if (!json_decimal(&json, &price.usd) || price.usd.negative)
        problem(problems, text("/prices/", price.provider, NULL),
                text("is not a price such as \"12.50\"", NULL));
      prices = realloc(prices, (prices_count + 1) * sizeof *prices);
      prices[prices_count++] = price;
    }
  }
  if (!prices_count)
    problem(problems, text("/prices", NULL), text("at least one price is needed", NULL));
  pricing_policy_string_free(config);
  return problems->len == 0;
}

void exports_tollgate_policy_prices_claims(pricing_policy_list_string_t *ret) {
  ret->ptr = malloc(prices_count * sizeof(string));
  ret->len = prices_count;
  for (size_t i = 0; i < prices_count; i++) ret->ptr[i] = text(prices[i].provider, NULL);
}

void exports_tollgate_policy_prices_catalog(uint32_t page,
                                            exports_tollgate_policy_prices_list_listing_t *ret) {
  *ret = (exports_tollgate_policy_prices_list_listing_t){0};
  if (page > 0) return;
  ret->ptr = calloc(prices_count, sizeof *ret->ptr);
  ret->len = prices_count;
  for (size_t i = 0; i < prices_count; i++) {
    ret->ptr[i].provider = text(prices[i].provider, NULL);
    ret->ptr[i].rates.ptr = malloc(sizeof *ret->ptr[i].rates.ptr);
    ret->ptr[i].rates.len = 1;
    ret->ptr[i].rates.ptr[0] =
        (exports_tollgate_policy_prices_rate_t){text("calls", NULL), prices[i].usd};
  }
}

// The price of the calls that a usage counts; false where the provider has none here.
static bool quote(const exports_tollgate_policy_prices_call_t *call,
                  exports_tollgate_policy_prices_quote_t *ret) {
  decimal calls = {0}, cost;
  for (size_t i = 0; i < call->usage.len; i++)
    if (is(call->usage.ptr[i].quantity, "calls")) calls = call->usage.ptr[i].amount;
  for (size_t i = 0; i < prices_count; i++) {
    if (!is(call->provider, prices[i].provider)) continue;
    if (!decimal_times(calls, prices[i].usd, &cost)) __builtin_trap();
    ret->entry = text(prices[i].provider, NULL);
    ret->charges.ptr = malloc(sizeof *ret->charges.ptr);
    ret->charges.len = 1;
    ret->charges.ptr[0] = (exports_tollgate_policy_prices_charge_t){
        text("calls", NULL), calls, prices[i].usd, cost, text("fee", NULL)};
    return true;
  }
  return false;
}

bool exports_tollgate_policy_prices_price(exports_tollgate_policy_prices_call_t *call,
                                          exports_tollgate_policy_prices_option_quote_t *ret,
                                          exports_tollgate_policy_prices_failure_t *err) {
  ret->is_some = quote(call, &ret->val);
  exports_tollgate_policy_prices_call_free(call);
  return true;
}

bool exports_tollgate_policy_prices_estimate(
    exports_tollgate_policy_prices_call_t *call, uint32_t *max_tokens,
    exports_tollgate_policy_prices_option_estimation_t *ret,
    exports_tollgate_policy_prices_failure_t *err) {
  exports_tollgate_policy_prices_quote_t price;
  ret->is_some = quote(call, &price);
  // Nothing is filled in: how many calls it will be, the caller says.
  ret->val = (exports_tollgate_policy_prices_estimation_t){0};
  if (ret->is_some) {
    ret->val.cost.is_some = true;
    ret->val.cost.val = price.charges.ptr[0].cost;
    exports_tollgate_policy_prices_quote_free(&price);
  }
  exports_tollgate_policy_prices_call_free(call);
  return true;
}

bool exports_tollgate_policy_prices_extract(
    string *provider, string *flavor, string *response,
    exports_tollgate_policy_prices_option_extraction_t *ret,
    exports_tollgate_policy_prices_failure_t *err) {
  ret->is_some = false;
  pricing_policy_string_free(provider);
  pricing_policy_string_free(flavor);
  pricing_policy_string_free(response);
  return true;
}
