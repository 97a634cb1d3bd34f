/*
 * event_xml.h - <Event> of XML, with or without its rendered text.
 */
#ifndef KMSCTL_RELAY_EVENT_XML_H
#define KMSCTL_RELAY_EVENT_XML_H

#include "kmsctl/relay/event_buffer.h"

bool event_xml_begins(const char *p, const char *end);
/* The end of the element that begins at p; one that is cut off ends where the next begins. */
const char *event_xml_end(const char *p, const char *end);
/* Its text, with its entities as characters. */
void event_xml_put(struct event_buffer *t, const char *p, const char *end);
/*
 * The line before `begin`, in text, is "Event Xml:", as Event Viewer copies an event: as text, and
 * then the same as XML.
 */
bool event_xml_is_copy(const char *text, const char *begin);

#endif
