/*
 * fuzz_control.c - the control protocol: the request's framing, and the fields
 * that both ends read. What is accepted builds to the same bytes.
 */
#include <string.h>

#include "kmsd/ipc/control.h"
#include "t/fuzz/fuzz.h"

static void
build_again(struct control_buf *b, const struct control_field *f)
{
	char name[256] = "", *text;

	memcpy(name, f->name, f->name_len);
	text = malloc((size_t)f->value_len + 1);
	MUST(text != NULL);
	memcpy(text, f->value, f->value_len);
	text[f->value_len] = '\0';
	if (f->type == 'u')
		control_number(b, name, f->number);
	else if (f->type == 's')
		control_text(b, name, text);
	else if (f->type == 'b')
		control_octets(b, name, f->value, f->value_len);
	else
		control_row(b, text);
	free(text);
}

/* A name with a zero byte cannot be given to the builders. */
static int
plain(const struct control_field *f)
{
	return memchr(f->name, 0, f->name_len) == NULL && memchr(f->value, 0, f->value_len) == NULL;
}

static void
read_fields(const uint8_t *data, size_t size)
{
	struct wire_reader r;
	struct control_field f;
	struct control_buf b = { 0 };
	const uint8_t *start;

	wire_reader_init(&r, data, size);
	start = r.at;
	while (control_next(&r, &f)) {
		MUST(f.type == 's' || f.type == 'u' || f.type == 'b' || f.type == 'r');
		MUST(r.at > start && r.at <= r.end);
		if ((f.type == 'b' || f.type == 'u') ? memchr(f.name, 0, f.name_len) == NULL
						     : plain(&f)) {
			b.len = 0;
			build_again(&b, &f);
			MUST(!b.bad && b.len == (size_t)(r.at - start));
			MUST(memcmp(b.data, start, b.len) == 0);
		}
		start = r.at;
	}
	MUST(r.bad || r.at == r.end);
	control_buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader args;
	uint16_t verb;
	int whole = control_request_parse(data, size, &verb, &args);

	MUST(whole >= -1 && whole <= 1);
	if (whole == 1)
		MUST((size_t)(args.end - args.at) == size - CONTROL_REQUEST_HEADER);
	if (whole == 1)
		read_fields(args.at, (size_t)(args.end - args.at));
	read_fields(data, size);
	return 0;
}
