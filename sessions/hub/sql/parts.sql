-- Store the parts of snapshots among the stored events. Answers with the complete snapshots that are
-- new or changed, and with the one that is all there is to that: newly complete, and not empty.
CREATE OR REPLACE FUNCTION hub_sessions_add_parts(
    p_hub bigint, p_events json, p_stored bigint[], OUT changed bigint[], OUT newcomer bigint
) LANGUAGE plpgsql AS $$
DECLARE
    affected bigint[];
BEGIN
    WITH arrived AS MATERIALIZED (
        SELECT e.id AS event_id, e.time, e.data ->> 'snapshot' AS name,
            md5(e.data ->> 'snapshot')::uuid AS key,
            (e.data ->> 'part')::int AS part, (e.data ->> 'parts')::int AS parts,
            g.sessions, g.seats, coalesce(g.starts, '{}') AS starts,
            e.data ->> 'source' IS NOT NULL AS was_asked
        FROM hub_sessions_hubevent e
        JOIN (
            SELECT DISTINCT ON (id) * FROM json_to_recordset(p_events)
                AS r (i int, id text, type text, sessions uuid[], seats uuid[],
                    starts timestamptz[])
            WHERE type = 'hub.snapshot' ORDER BY id, i
        ) g ON g.id = e.event_id
        WHERE e.id = ANY (p_stored) AND e.type = 'hub.snapshot'
    ), snapshot AS (
        INSERT INTO hub_sessions_snapshot AS s (
            hub_id, name, key, time, parts, listed, is_complete, was_asked)
        SELECT p_hub, min(a.name), a.key, min(a.time), max(a.parts), 0, false, bool_or(a.was_asked)
        FROM arrived a GROUP BY a.key
        ON CONFLICT (hub_id, key) DO UPDATE SET
            time = least(s.time, excluded.time), parts = greatest(s.parts, excluded.parts)
        RETURNING s.id, s.key
    ), part AS (
        INSERT INTO hub_sessions_snapshotpart (snapshot_id, event_id, part, sessions, seats, starts)
        SELECT s.id, a.event_id, a.part, a.sessions, a.seats, a.starts
        FROM arrived a JOIN snapshot s USING (key)
    )
    SELECT array_agg(s.id) INTO affected FROM snapshot s;

    WITH updated AS (
        UPDATE hub_sessions_snapshot s SET listed = p.listed, is_complete = p.seen >= s.parts
        FROM hub_sessions_snapshot was JOIN (
            SELECT snapshot_id, count(DISTINCT part) AS seen,
                sum(cardinality(sessions) + cardinality(seats)) AS listed
            FROM hub_sessions_snapshotpart WHERE snapshot_id = ANY (affected) GROUP BY snapshot_id
        ) p ON p.snapshot_id = was.id
        WHERE s.id = was.id
        RETURNING s.id, s.listed > 0 AND s.is_complete AND NOT was.is_complete AS is_new,
            s.is_complete OR was.is_complete AS counts
    )
    SELECT array_agg(u.id) FILTER (WHERE u.counts),
        CASE WHEN count(*) FILTER (WHERE u.counts) = 1 THEN min(u.id) FILTER (WHERE u.is_new) END
    INTO changed, newcomer FROM updated u;
END $$;
