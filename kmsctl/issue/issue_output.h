/*
 * issue_output.h - results as lines for a person or as one JSON object: commands
 * name each value once and do not know which it becomes.
 */
#ifndef KMSCTL_ISSUE_ISSUE_OUTPUT_H
#define KMSCTL_ISSUE_ISSUE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output;
struct output *output_new(bool json); /* NULL: memory */
void output_free(struct output *o);

/* key: JSON member; a person reads it with blanks for its '_'. */
void output_text(struct output *o, const char *key, const char *value);
/* Text of several lines; in JSON one, with '-' where a line ended. */
void output_block(struct output *o, const char *key, const char *text);
void output_number(struct output *o, const char *key, uint64_t value);
void output_flag(struct output *o, const char *key, bool value);
void output_time(struct output *o, const char *key, uint64_t time);
void output_uuid(struct output *o, const char *key, const uint8_t id[16]);
void output_hex(struct output *o, const char *key, const uint8_t *value, size_t len);

/*
 * A list of objects: output_list, then output_item before each one's values, then
 * output_list_end.
 */
void output_list(struct output *o, const char *key);
void output_item(struct output *o);
void output_list_end(struct output *o);

/* Writes everything to standard output. False: it could not (a full disk behind a pipe). */
bool output_finish(struct output *o);

#endif
