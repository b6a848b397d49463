name := e1000
objs := main.o hw.o rx.o tx.o
deps := ip ethernet
