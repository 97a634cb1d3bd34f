/*
 * html.h - a report as one file of HTML: a table for each list, and for each pool of report usage
 * one from which the script of kmsd-web's page draws a chart. Script and style are in the file, and
 * it refers to nothing, so it can be sent by mail and be printed. Names are escaped: they come from
 * packs and from the network.
 */
#ifndef KMSCTL_REPORT_HTML_H
#define KMSCTL_REPORT_HTML_H

#include "kmsctl/cli/output.h"
#include "kmsctl/report/usage_sums.h"

/* As the form for a person: what has a label, and lines. Nothing is printed before a title is set.
 */
extern const struct output_format output_format_html;

/* Of an output of that format; title is kept, not copied. */
void html_title(struct output *o, const char *title, uint64_t from, uint64_t until);

/* The same. */
void html_usage(struct output *o, const struct usage_sums *s, const struct report_pools *pools,
    enum period_by by);

#endif
