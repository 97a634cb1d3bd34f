/*
 * capabilities.h - what root may still do once everything is open.
 */
#ifndef KMSD_SUPERVISOR_CAPABILITIES_H
#define KMSD_SUPERVISOR_CAPABILITIES_H

/* All of root's rights go but those that children need. */
void drop_capabilities(void);

#endif
