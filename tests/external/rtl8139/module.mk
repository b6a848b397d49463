name := rtl8139
objs := rtl8139.o
deps := ip ethernet
