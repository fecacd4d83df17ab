"""The ground floor: actors, time, journal, sockets, expressions; ignorant of quests."""
