#include "ckpt_signal.h"

int ckpt_signal = 64;
