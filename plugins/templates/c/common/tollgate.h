// What every policy in C needs: texts, a reader of JSON, problems with a configuration, and exact
// numbers. Include it after the header of the world, and say how that calls its texts:
//
//     #include "bindings/tier_policy.h"
//     typedef tier_policy_string_t string;
//     #include "tollgate.h"
//
// What a function of the contract returns is freed by the bindings, so each text in it must have
// been allocated; what it is given is the function's own, to be freed by it.

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define HELPER static inline __attribute__((unused))

// ---- Texts

// Joins texts; the last argument is NULL: text("a ", "b", NULL).
HELPER string text(const char *first, ...) {
  va_list parts;
  size_t length = 0;
  va_start(parts, first);
  for (const char *part = first; part; part = va_arg(parts, const char *)) length += strlen(part);
  va_end(parts);
  char *joined = malloc(length + 1), *end = joined;
  va_start(parts, first);
  for (const char *part = first; part; part = va_arg(parts, const char *)) {
    end = memcpy(end, part, strlen(part) + 1);
    end += strlen(part);
  }
  va_end(parts);
  return (string){(uint8_t *)joined, length};
}

HELPER bool is(string left, const char *right) {
  return left.len == strlen(right) && memcmp(left.ptr, right, left.len) == 0;
}

// A number's digits, in a buffer of its own until the eighth next call.
HELPER const char *digits(uint32_t number) {
  static char buffers[8][11];
  static unsigned next;
  char *buffer = buffers[next++ % 8], *at = buffer + 10;
  *at = 0;
  do *--at = '0' + number % 10;
  while (number /= 10);
  return at;
}

// The value of a fact that the policy asked for in `needs`; NULL where nobody knows it.
HELPER const string *fact(const tollgate_policy_types_call_t *call, const char *name) {
  for (size_t i = 0; i < call->facts.len; i++)
    if (is(call->facts.ptr[i].name, name)) return &call->facts.ptr[i].value;
  return NULL;
}

// ---- The configuration. What the host hands over is valid JSON, so that reading it is simple.

typedef struct json {
  const char *at, *end;
} json;

HELPER json json_of(string text) {
  return (json){(const char *)text.ptr, (const char *)text.ptr + text.len};
}

HELPER char json_peek(json *json) {
  while (json->at < json->end && strchr(" \t\r\n,:", *json->at)) json->at++;
  return json->at < json->end ? *json->at : 0;
}

// Goes into an object '{' or a list '['; false, and nothing is read, where there is none.
HELPER bool json_enter(json *json, char bracket) {
  if (json_peek(json) != bracket) return false;
  json->at++;
  return true;
}

// Whether another member or item follows; leaves the object or list where none does.
HELPER bool json_more(json *json) {
  char next = json_peek(json);
  if (next != '}' && next != ']') return next != 0;
  json->at++;
  return false;
}

HELPER void json_skip(json *json) {
  unsigned depth = 0;
  do {
    char next = json_peek(json);
    if (!next) return;
    json->at++;
    if (next == '"') {
      while (json->at < json->end && *json->at != '"') json->at += *json->at == '\\' ? 2 : 1;
      json->at++;
    } else if (next == '{' || next == '[') {
      depth++;
    } else if (next == '}' || next == ']') {
      depth--;
    } else {
      while (json->at < json->end && !strchr(" \t\r\n,:]}", *json->at)) json->at++;
    }
  } while (depth);
}

HELPER uint32_t json_hex(const char *at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; i++) {
    char digit = at[i];
    value = value << 4 | (digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10);
  }
  return value;
}

// Writes a character of UTF-8 at `out`; returns how many bytes it has.
HELPER size_t utf8(uint32_t character, char *out) {
  size_t more = character < 0x80 ? 0 : character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
  static const uint8_t first[] = {0, 0xc0, 0xe0, 0xf0};
  out[0] = first[more] | character >> 6 * more;
  for (size_t i = 1; i <= more; i++) out[i] = 0x80 | (character >> 6 * (more - i) & 0x3f);
  return more + 1;
}

// Reads a text of at most 255 bytes; false where there is none, which is then passed over.
HELPER bool json_text(json *json, char out[256]) {
  struct json value = *json;
  bool is_text = json_peek(&value) == '"';
  json_skip(json);
  if (!is_text) return false;
  size_t length = 0;
  for (const char *at = value.at + 1; *at != '"'; at++) {
    if (length > 250) return false;
    if (*at != '\\') {
      out[length++] = *at;
      continue;
    }
    uint32_t c = (uint8_t)*++at;
    if (c == 'u') {
      c = json_hex(at + 1);
      at += 4;
      if (c >> 10 == 0x36) {
        c = 0x10000 + ((c & 0x3ff) << 10 | (json_hex(at + 3) & 0x3ff));
        at += 6;
      }
    } else {
      c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
    }
    length += utf8(c, out + length);
  }
  out[length] = 0;
  return true;
}

// Reads a whole number; false where there is none, which is then passed over.
HELPER bool json_whole(json *json, uint32_t *out) {
  struct json value = *json;
  json_peek(&value);
  json_skip(json);
  uint64_t number = 0;
  for (const char *at = value.at; at < json->at; at++) {
    if (*at < '0' || *at > '9') return false;
    number = number * 10 + (*at - '0');
    if (number > UINT32_MAX) return false;
  }
  *out = (uint32_t)number;
  return true;
}

// ---- Problems with the configuration, so that an operator sees all of them at once

HELPER void problem(exports_tollgate_policy_lifecycle_list_problem_t *found, string path,
                    string message) {
  found->ptr = realloc(found->ptr, (found->len + 1) * sizeof *found->ptr);
  found->ptr[found->len++] = (exports_tollgate_policy_lifecycle_problem_t){path, message};
}

// ---- Exact numbers

typedef tollgate_policy_types_decimal_t decimal;

#define SCALE_MAX 28

// coefficient = coefficient * factor + digit, in `limbs` limbs; false where that is too large.
HELPER bool limbs_times(uint32_t *coefficient, int limbs, uint32_t factor, uint32_t digit) {
  uint64_t carry = digit;
  for (int i = 0; i < limbs; i++) {
    carry += (uint64_t)coefficient[i] * factor;
    coefficient[i] = (uint32_t)carry;
    carry >>= 32;
  }
  return carry == 0;
}

// Reads `12.50`; false where that is no decimal of at most 28 digits.
HELPER bool decimal_parse(const char *text, decimal *out) {
  uint32_t limbs[3] = {0};
  bool negative = *text == '-', point = false;
  unsigned scale = 0, count = 0;
  for (text += negative; *text; text++) {
    if (*text == '.' && !point && count) {
      point = true;
      count = 0;
      continue;
    }
    if (*text < '0' || *text > '9') return false;
    if (!limbs_times(limbs, 3, 10, *text - '0')) return false;
    scale += point;
    count++;
  }
  bool zero = !(limbs[0] | limbs[1] | limbs[2]);
  *out = (decimal){limbs[0], limbs[1], limbs[2], scale, negative && !zero};
  return count && scale <= SCALE_MAX;
}

// Reads a decimal, as text or as a number with the digits that the operator wrote.
HELPER bool json_decimal(json *json, decimal *out) {
  char text[256];
  if (json_peek(json) == '"') return json_text(json, text) && decimal_parse(text, out);
  struct json value = *json;
  json_skip(json);
  size_t length = json->at - value.at;
  if (length >= sizeof text) return false;
  memcpy(text, value.at, length);
  text[length] = 0;
  return decimal_parse(text, out);
}

// The exact product; false where that does not fit into the contract's 96 bits.
HELPER bool decimal_times(decimal left, decimal right, decimal *out) {
  uint32_t a[] = {left.low, left.middle, left.high}, b[] = {right.low, right.middle, right.high};
  uint32_t product[6] = {0};
  for (int i = 0; i < 3; i++) {
    uint64_t carry = 0;
    for (int j = 0; j < 3; j++) {
      carry += (uint64_t)a[i] * b[j] + product[i + j];
      product[i + j] = (uint32_t)carry;
      carry >>= 32;
    }
    product[i + 3] = (uint32_t)carry;
  }
  unsigned scale = left.scale + right.scale;
  bool zero = !(product[0] | product[1] | product[2]);
  *out = (decimal){product[0], product[1], product[2], scale,
                   left.negative != right.negative && !zero};
  return !(product[3] | product[4] | product[5]) && scale <= SCALE_MAX;
}

// Negative, zero or positive, as left * left_times is less than, equal to or more than
// right * right_times. For numbers that are not negative.
HELPER int decimal_compare(decimal left, uint32_t left_times, decimal right, uint32_t right_times) {
  uint32_t a[8] = {left.low, left.middle, left.high}, b[8] = {right.low, right.middle, right.high};
  limbs_times(a, 8, left_times, 0);
  limbs_times(b, 8, right_times, 0);
  for (; left.scale < right.scale; left.scale++) limbs_times(a, 8, 10, 0);
  for (; right.scale < left.scale; right.scale++) limbs_times(b, 8, 10, 0);
  for (int i = 7; i >= 0; i--)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

// All digits, in a buffer of its own until the fourth next call.
HELPER const char *decimal_text(decimal number) {
  static char buffers[4][48];
  static unsigned next;
  char *buffer = buffers[next++ % 4], *at = buffer + 47;
  uint32_t limbs[] = {number.low, number.middle, number.high};
  *at = 0;
  bool fraction = false;
  for (unsigned place = 0; place <= number.scale || (limbs[0] | limbs[1] | limbs[2]); place++) {
    uint64_t rest = 0;
    for (int i = 2; i >= 0; i--) {
      rest = rest << 32 | limbs[i];
      limbs[i] = (uint32_t)(rest / 10);
      rest %= 10;
    }
    if (place == number.scale && fraction) *--at = '.';
    fraction = fraction || (place < number.scale && rest);
    if (place >= number.scale || fraction) *--at = '0' + (char)rest;
  }
  if (number.negative) *--at = '-';
  return at;
}
