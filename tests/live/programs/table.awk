# Arrays and string work; sleeps through an extension that gawk loads with dlopen.
@load "time"

function exists(file,    line, result) {
    result = (getline line < file)
    close(file)
    return result >= 0
}

function step(number,    dir) {
    dir = ENVIRON["STEP_DIR"]
    printf "%d", number > (dir "/ready")
    close(dir "/ready")
    while (1) {
        if (exists(dir "/go." number))
            return 1
        if (exists(dir "/end"))
            return 0
        sleep(0.002)
    }
}

BEGIN {
    random = 1
    for (number = 1; ; number++) {
        for (i = 0; i < 30000; i++) {
            random = (random * 16807) % 2147483647
            key = substr(random, 1, 3)
            total[key] += random % 10
            text[key] = substr(text[key] random, 1, 40)
        }
        more = step(number)
        n = asorti(total, keys)
        for (i = 1; i <= n; i += 100)
            print number, keys[i], total[keys[i]], text[keys[i]] > "progress"
        print "step", number
        fflush()
        if (!more)
            break
    }
}
