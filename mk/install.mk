# make install PREFIX= DESTDIR=, make uninstall, make demo. What is installed has the shape of build/: commands find the library by their
# own path.
INSTALL_BIN := $(DESTDIR)$(PREFIX)/bin
INSTALL_LIB := $(DESTDIR)$(PREFIX)/lib/dmtcp
INSTALL_INCLUDE := $(DESTDIR)$(PREFIX)/include
INSTALL_MAN := $(DESTDIR)$(PREFIX)/share/man/man1
MAN := $(wildcard man/*.1)
PUBLIC_INCLUDE := $(wildcard include/dmtcp.h include/dmtcpaware.h include/mtcp.h)

install: all
	install -d $(INSTALL_BIN) $(INSTALL_LIB) $(INSTALL_MAN)
	install -m 755 $(BIN) $(INSTALL_BIN)
	install -m 755 $(LIB) $(INSTALL_LIB)
	install -m 644 $(MAN) $(INSTALL_MAN)
ifneq ($(PUBLIC_INCLUDE),)
	install -d $(INSTALL_INCLUDE)
	install -m 644 $(PUBLIC_INCLUDE) $(INSTALL_INCLUDE)
endif

uninstall:
	rm -f $(addprefix $(INSTALL_BIN)/,$(notdir $(BIN))) $(addprefix $(INSTALL_LIB)/,$(notdir $(LIB)))
	rm -f $(addprefix $(INSTALL_MAN)/,$(notdir $(MAN))) $(addprefix $(INSTALL_INCLUDE)/,$(notdir $(PUBLIC_INCLUDE)))
	-rmdir $(INSTALL_LIB) 2>/dev/null

# The packages come first: without zlib's archive there is no libckpt.so to build. A make of its own looks for the archives afresh.
demo:
	@mk/packages.sh build demo
	@+$(MAKE) --no-print-directory -s $(JOBS_FLAG) all
	@tests/demo.sh $(B)

.PHONY: install uninstall demo
