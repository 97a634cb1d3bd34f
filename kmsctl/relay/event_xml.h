/*
 * event_xml.h - events in XML: <Event>, with or without its rendered text, and PowerShell's
 * objects.
 */
#ifndef KMSCTL_RELAY_EVENT_XML_H
#define KMSCTL_RELAY_EVENT_XML_H

#include "kmsctl/relay/event_buffer.h"

/*
 * The end of the record that begins at p: <Event>, or what PowerShell makes of an object, <Obj> and
 * <Object>. NULL: none begins there. left: bytes that may still be looked at in vain.
 */
const char *event_xml_end(const char *p, const char *end, size_t *left);
/* It is <Event>, and so one event and no more. */
bool event_xml_is_event(const char *p, const char *end);
/* Its text, with its entities as characters. */
void event_xml_put(struct event_buffer *t, const char *p, const char *end);
/*
 * The line before `begin`, in text, is "Event Xml:", as Event Viewer copies an event: as text, and
 * then the same as XML.
 */
bool event_xml_is_copy(const char *text, const char *begin);

#endif
