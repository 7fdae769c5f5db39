#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "die.h"

enum { ANY = -3, UNKNOWN = -4 }; /* of a session, beside TREE_US */

/* What the plan is made from, a row a node. */
struct origin {
    pid_t ppid, pgid, sid;
    pid_t launch_pid, launch_group, launch_session; /* of the launch that it descends from */
    int natural; /* index of its parent, if that is in the set */
    int birth; /* the session it must be born in: index, TREE_US, ANY; UNKNOWN: not computed yet */
    bool visiting;
};

struct plan {
    struct tree *tree;
    struct origin *origins;
    int room;
};

static int add(struct plan *plan, struct tree_node node, struct origin origin)
{
    struct tree *tree = plan->tree;

    if (tree->count == plan->room) {
        plan->room = plan->room ? 2 * plan->room : 16;
        tree->nodes = realloc(tree->nodes, (size_t)plan->room * sizeof *tree->nodes);
        plan->origins = realloc(plan->origins, (size_t)plan->room * sizeof *plan->origins);
        if (!tree->nodes || !plan->origins)
            die(FAIL_TOOL, "no memory");
    }
    node.group = node.session = TREE_US;
    origin.natural = TREE_NONE;
    origin.birth = UNKNOWN;
    tree->nodes[tree->count] = node;
    plan->origins[tree->count] = origin;
    return tree->count++;
}

static int find(const struct tree *tree, pid_t pid)
{
    for (int i = 0; pid > 0 && i < tree->count; i++)
        if (tree->nodes[i].pid == pid)
            return i;
    return TREE_NONE;
}

/* Settings of the launch. */
static void origin_from_conf(struct origin *origin, const struct set_image *image)
{
    static struct conf conf;
    static char text[CONF_TEXT_MAX];
    uint32_t size;
    const char *found = image_record(&image->image, IMAGE_REC_CONF, 0, &size);

    memset(&conf, 0, sizeof conf);
    if (found && size < sizeof text) {
        memcpy(text, found, size);
        text[size] = 0;
        if (!conf_decode(&conf, text))
            memset(&conf, 0, sizeof conf);
    }
    origin->launch_pid = (pid_t)conf.launch_pid;
    origin->launch_group = (pid_t)conf.launch_group;
    origin->launch_session = (pid_t)conf.launch_session;
}

static void add_image(struct plan *plan, const struct set_image *image)
{
    const struct image_process *process = image->image.process;
    struct tree_node node = {.kind = TREE_PROCESS,
                             .pid = (pid_t)process->pid,
                             .image = image,
                             .subreaper = process->flags & IMAGE_PROCESS_SUBREAPER,
                             .foreground = process->foreground};
    struct origin origin = {.ppid = (pid_t)process->ppid, .pgid = (pid_t)process->pgid, .sid = (pid_t)process->sid};

    if (node.pid <= 0)
        die(FAIL_TOOL, "%s: is damaged (process id)", image->path);
    if (find(plan->tree, node.pid) != TREE_NONE)
        die(FAIL_TOOL, "%s: another image of the set is of the same process %d", image->path, (int)node.pid);
    origin_from_conf(&origin, image);
    add(plan, node, origin);
}

static void add_zombies(struct plan *plan, int parent)
{
    const struct set_image *image = plan->tree->nodes[parent].image;
    const struct image_zombie *zombie;
    uint32_t size;

    for (unsigned n = 0; (zombie = image_record(&image->image, IMAGE_REC_ZOMBIES, n, &size)); n++)
        for (uint32_t i = 0; i < size / sizeof *zombie; i++) {
            struct tree_node node = {.kind = TREE_ZOMBIE, .pid = (pid_t)zombie[i].pid, .status = zombie[i].status};
            struct origin origin = plan->origins[parent];

            if (find(plan->tree, node.pid) != TREE_NONE)
                die(FAIL_TOOL, "%s: is damaged (ended child %d)", image->path, (int)node.pid);
            memcpy(node.name, zombie[i].name, sizeof node.name);
            origin.ppid = plan->tree->nodes[parent].pid;
            origin.pgid = (pid_t)zombie[i].pgid;
            origin.sid = (pid_t)zombie[i].sid;
            add(plan, node, origin);
        }
}

/* --- who is a root --- */

static bool is_root(const struct plan *plan, int i)
{
    return plan->tree->nodes[i].parent == TREE_US;
}

/* Sets the parents; those launched, not made by a process of the set, get dmtcp_restart for one. */
static void find_parents(struct plan *plan)
{
    struct tree *tree = plan->tree;
    bool any = false;

    for (int i = 0; i < tree->count; i++) {
        struct origin *origin = &plan->origins[i];
        int parent = find(tree, origin->ppid);

        if (parent >= 0 && tree->nodes[parent].kind != TREE_PROCESS)
            parent = TREE_NONE;
        origin->natural = parent;
        tree->nodes[i].parent = parent;
        if (parent == TREE_NONE && origin->launch_pid == tree->nodes[i].pid) {
            tree->nodes[i].parent = TREE_US;
            any = true;
        }
    }
    /* Images of before the launch was recorded: an orphan is init's. */
    for (int i = 0; !any && i < tree->processes; i++)
        if (tree->nodes[i].parent == TREE_NONE && !plan->origins[i].launch_pid && plan->origins[i].ppid > 1)
            tree->nodes[i].parent = TREE_US;
    for (int i = 0; i < tree->count; i++) { /* a chain of parents comes to an end, in a set that is sound */
        int steps = 0;

        for (int at = i; at >= 0; at = tree->nodes[at].parent)
            if (++steps > tree->count)
                die(FAIL_TOOL, "%s: is damaged (its process is its own ancestor)", tree->nodes[i].image ? tree->nodes[i].image->path : "the set");
    }
}

static void find_main(struct plan *plan)
{
    struct tree *tree = plan->tree;

    tree->main = TREE_NONE;
    for (int i = 0; i < tree->processes; i++)
        if (is_root(plan, i) && (tree->main == TREE_NONE || (tree->nodes[i].foreground && !tree->nodes[tree->main].foreground)))
            tree->main = i;
    if (tree->main == TREE_NONE)
        return;
    const struct origin *origin = &plan->origins[tree->main];
    tree->launch_group = origin->launch_pid ? origin->launch_group : origin->pgid;
    tree->launch_session = origin->launch_pid ? origin->launch_session : origin->sid;
    if (find(tree, tree->launch_group) != TREE_NONE)
        tree->launch_group = 0;
    if (find(tree, tree->launch_session) != TREE_NONE)
        tree->launch_session = 0;
}

/* --- sessions --- */

/* Is a session one that the launch was in? Ours takes its place. */
static bool is_launch_session(const struct plan *plan, pid_t sid, bool on_terminal)
{
    const struct tree *tree = plan->tree;
    int leader = find(tree, sid);

    for (int i = 0; i < tree->processes; i++) {
        const struct origin *origin = &plan->origins[i];

        if (leader == TREE_NONE && (origin->launch_session == sid || (!origin->launch_pid && is_root(plan, i) && origin->sid == sid)))
            return true;
        if (leader == i && on_terminal && is_root(plan, i) && (origin->launch_session == sid || !origin->launch_pid) &&
            tree->nodes[i].image->image.process->flags & IMAGE_PROCESS_TERMINAL)
            return true;
    }
    return false;
}

static void find_sessions(struct plan *plan, bool on_terminal)
{
    struct tree *tree = plan->tree;

    for (int i = 0; i < tree->count; i++) { /* grows by the helpers */
        pid_t sid = plan->origins[i].sid;
        int leader;

        if (sid <= 0 || is_launch_session(plan, sid, on_terminal))
            continue;
        leader = find(tree, sid);
        if (leader == TREE_NONE)
            leader = add(plan, (struct tree_node){.kind = TREE_HELPER, .pid = sid, .maker = TREE_US, .parent = TREE_NONE},
                         (struct origin){.sid = sid, .pgid = sid});
        tree->nodes[i].session = leader;
        tree->nodes[leader].leads_session = true;
        tree->nodes[leader].session = leader;
    }
}

/* The session that a node must be born in. One that leads a session could be born in any, but for children it had before. */
static int birth(struct plan *plan, int i)
{
    struct origin *origin = &plan->origins[i];
    const struct tree_node *node = &plan->tree->nodes[i];

    if (origin->birth != UNKNOWN)
        return origin->birth;
    if (!node->leads_session)
        return plan->origins[i].birth = node->session;
    int result = ANY;
    for (int c = 0; c < plan->tree->count; c++) {
        if (plan->origins[c].natural != i)
            continue;
        int of_child = birth(plan, c);
        if (result == ANY && of_child != ANY && of_child != i)
            result = of_child;
    }
    return plan->origins[i].birth = result;
}

/* --- makers --- */

/* A helper through which somebody makes an orphan. */
static int add_helper(struct plan *plan, int maker)
{
    return add(plan, (struct tree_node){.kind = TREE_HELPER, .maker = maker, .parent = maker}, (struct origin){.pgid = 0});
}

static void adopt(struct plan *plan, int i)
{
    struct tree *tree = plan->tree;
    int session = birth(plan, i), maker;

    if (session < 0) {
        maker = add_helper(plan, TREE_US);
    } else if (tree->nodes[session].kind == TREE_PROCESS) {
        maker = add_helper(plan, session);
        tree->nodes[maker].session = session;
    } else { /* it will end, as a helper does */
        maker = session;
        if (tree->nodes[session].kind == TREE_HELPER && tree->nodes[i].parent >= 0)
            tree->nodes[session].maker = tree->nodes[i].parent;
    }
    tree->nodes[i].maker = maker;
    tree->nodes[i].early = false;
}

static void find_makers(struct plan *plan)
{
    struct tree *tree = plan->tree;
    int count = tree->count;

    for (int i = 0; i < count; i++) {
        struct tree_node *node = &tree->nodes[i];
        int session, parent = node->parent;

        if (node->kind == TREE_HELPER)
            continue;
        session = birth(plan, i);
        if (parent == TREE_US && session < 0) {
            node->maker = TREE_US;
        } else if (parent >= 0 && (session == ANY || session == tree->nodes[parent].session)) {
            node->maker = parent;
        } else if (parent >= 0 && tree->nodes[parent].leads_session && birth(plan, parent) == session) {
            node->maker = parent;
            node->early = true;
        } else {
            if (parent == TREE_US)
                node->parent = TREE_NONE;
            adopt(plan, i);
        }
    }
    for (int i = 0; i < tree->count; i++)
        if (tree->nodes[i].kind == TREE_HELPER)
            tree->nodes[i].parent = tree->nodes[i].maker;
}

/* --- groups --- */

static void find_groups(struct plan *plan)
{
    struct tree *tree = plan->tree;
    int count = tree->count;

    for (int i = 0; i < count; i++) {
        struct tree_node *node = &tree->nodes[i];
        pid_t pgid = plan->origins[i].pgid;
        int leader;

        if (pgid <= 0)
            continue;
        leader = find(tree, pgid);
        if (leader == TREE_NONE && node->session == TREE_US) {
            bool launched = pgid == tree->launch_group;

            for (int n = 0; n < tree->processes && !launched; n++)
                launched = plan->origins[n].launch_group == pgid;
            if (launched)
                continue; /* that of dmtcp_restart */
        }
        if (leader == TREE_NONE) {
            leader = add(plan, (struct tree_node){.kind = TREE_HELPER, .pid = pgid, .maker = i, .parent = i}, (struct origin){.pgid = pgid});
            tree->nodes[leader].session = tree->nodes[i].session;
        }
        tree->nodes[i].group = leader;
        tree->nodes[leader].founds_group = true;
        if (tree->nodes[leader].kind == TREE_HELPER)
            tree->nodes[leader].group = leader;
    }
    /* Who is in no group of the set's own is in that of its session's leader. */
    for (int i = 0; i < tree->count; i++)
        if (tree->nodes[i].group == TREE_US && tree->nodes[i].session >= 0)
            tree->nodes[i].group = tree->nodes[i].session;
}

int tree_foreground(const struct tree *tree)
{
    for (int i = 0; i < tree->processes; i++)
        if (tree->nodes[i].foreground && tree->nodes[i].session == TREE_US)
            return tree->nodes[i].group;
    return tree->main == TREE_NONE ? TREE_US : tree->nodes[tree->main].group;
}

void tree_plan(struct tree *tree, const struct image_set *set, bool on_terminal)
{
    struct plan plan = {.tree = tree};

    memset(tree, 0, sizeof *tree);
    for (size_t i = 0; i < set->count; i++)
        add_image(&plan, &set->images[i]);
    tree->processes = tree->count;
    for (int i = 0; i < tree->processes; i++)
        add_zombies(&plan, i);
    find_parents(&plan);
    find_main(&plan);
    find_sessions(&plan, on_terminal);
    find_makers(&plan);
    find_groups(&plan);
    free(plan.origins);
}
