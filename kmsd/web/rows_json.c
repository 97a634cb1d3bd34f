/*
 * rows_json.c - see rows_json.h.
 */
#include "kmsd/web/rows_json.h"

#include <stdio.h>

/* Hyphens on the wire, underscores in JSON. */
static void
put(json_t *object, const struct reply_field *f)
{
	char key[256];
	size_t i;

	for (i = 0; f->name[i] != '\0' && i < sizeof(key) - 1; i++)
		key[i] = f->name[i] == '-' ? '_' : f->name[i];
	key[i] = '\0';
	json_object_set_new(object, key,
	    f->type == 'u' ? json_integer((json_int_t)f->number) : json_string(f->text));
}

static json_t *
row_json(const struct reply_row *row)
{
	json_t *object = json_object();

	for (unsigned i = 0; i < row->count; i++)
		put(object, &row->fields[i]);
	return object;
}

json_t *
rows_json_all(const struct reply *r, const char *kind)
{
	const struct reply_row *row = NULL;
	json_t *list = json_array();

	while ((row = reply_next(r, kind, row)) != NULL)
		json_array_append_new(list, row_json(row));
	return list;
}

json_t *
rows_json_first(const struct reply *r, const char *kind)
{
	const struct reply_row *row = reply_next(r, kind, NULL);

	return row != NULL ? row_json(row) : NULL;
}
