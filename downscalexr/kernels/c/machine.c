/* What the compiler says of this machine. */
#include "vectors.h"

int registers(void);

/* section: registers */
int registers(void) {
    return REGISTERS;
}
