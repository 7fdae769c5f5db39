/* The plan of a restart on one host: which process makes which, and when, so that parents, sessions and process groups come out as they
 * were. Pure computation over the images; tree_build.h carries it out. Hosted.
 *
 * A session can only be inherited or begun. So every node is made by a process that is in the right session at the right moment: normally by
 * its parent, before that calls setsid (early) or after. One that was adopted (an orphan, or a child of a subreaper that it was not
 * born to) is made through a HELPER, which ends again and so makes it an orphan. Leaders of groups and sessions that are gone are helpers
 * too. A zombie stands for itself. */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <sys/types.h>

#include "image_set.h"

enum tree_kind {
    TREE_PROCESS, /* becomes the process of an image */
    TREE_ZOMBIE, /* ends as it had ended, and is not reaped */
    TREE_HELPER, /* ends when all groups and sessions are made; reaped by its maker */
};

/* In place of an index: dmtcp_restart itself; its session and its process group. */
#define TREE_US (-1)
#define TREE_NONE (-2)

struct tree_node {
    enum tree_kind kind;
    pid_t pid; /* as programs know it; 0: any (helpers) */
    int maker; /* index or TREE_US */
    int parent; /* in the end: index, TREE_US, or TREE_NONE: whoever orphans go to */
    bool early; /* made before its maker calls setsid */
    bool leads_session; /* calls setsid */
    bool founds_group; /* makes the group of its number */
    int group, session; /* index of the node whose number it has, or TREE_US */
    bool subreaper;
    bool foreground; /* of the launch's session and in its terminal's foreground */
    int status; /* zombie: wait(2) */
    char name[16]; /* zombie */
    const struct set_image *image; /* process */
};

struct tree {
    struct tree_node *nodes; /* those of the images first, in their order */
    int count, processes;
    int main; /* the process whose end is dmtcp_restart's; TREE_NONE: all are orphans */
    pid_t launch_group, launch_session; /* numbers known to programs, for which those of dmtcp_restart stand in; 0: none */
};

/* on_terminal: dmtcp_restart has a controlling terminal. A session that the launch began for the program (a terminal window's first process)
 * is then not begun anew, or the program would have no terminal. Dies where the images contradict each other. */
/* The group that the terminal's keys are for: an index, or TREE_US. */
int tree_foreground(const struct tree *tree);
void tree_plan(struct tree *tree, const struct image_set *set, bool on_terminal);

#endif
