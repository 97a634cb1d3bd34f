/*
 * page_text.h - the files of kmsd/web/page, as make has put them into the program.
 */
#ifndef KMSD_WEB_PAGE_TEXT_H
#define KMSD_WEB_PAGE_TEXT_H

extern const char page_html[], page_css[], page_js[], page_icon[];

#endif
