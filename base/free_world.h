/* Included before everything in free code (GNUmakefile): what would need libc does not build. */
#ifndef FREE_WORLD_H
#define FREE_WORLD_H
#pragma GCC poison malloc calloc realloc printf fprintf sprintf snprintf vsnprintf getenv setenv dlsym dlopen pthread_create
#endif
