module libscout/scout

go 1.23
