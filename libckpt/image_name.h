/* Where this process's image goes: interface.md, "Files". Checkpoint thread. */
#ifndef IMAGE_NAME_H
#define IMAGE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The absolute name of the image of a generation; makes the directory of a uniquely named set. False: problem says why not. */
bool image_name(char *path, size_t size, uint32_t generation, char *problem, size_t problem_size);

/* Makes a rename in the image's directory durable. 0 or -errno. */
long image_sync_directory(const char *path);

#endif
