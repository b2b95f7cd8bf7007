-- Write the charges of the Dask workers of these sessions, one each, and note the days that closed
-- ones touch. A worker is charged from its start to its end, and not beyond the end of its session,
-- to whom the session itself is charged.
CREATE OR REPLACE FUNCTION hub_sessions_charge_workers(p_hub bigint, p_keys uuid[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    due record;
    before hub_sessions_charge;
    after hub_sessions_charge;
    closed hub_sessions_charge[] := '{}';
BEGIN
    FOR due IN
        SELECT w.id, w.charge_id, s.number, s.user_id, s.group_id, w.started_at, e.ended_at,
            k.cpu_millicores, k.memory_mib
        FROM hub_sessions_these(p_hub, p_keys) s
        JOIN hub_sessions_daskcluster k ON k.session_id = s.number
        JOIN hub_sessions_daskworker w ON w.cluster_id = k.id
        CROSS JOIN LATERAL (SELECT least(w.finished_at, w.gone_at, s.ended_at) AS first) f
        CROSS JOIN LATERAL (
            SELECT CASE WHEN f.first IS NOT NULL THEN greatest(w.started_at, f.first) END AS ended_at
        ) e
        LEFT JOIN hub_sessions_charge c ON c.id = w.charge_id
        WHERE w.started_at IS NOT NULL AND (c.id IS NULL
            OR (c.user_id, c.group_id, c.started_at, c.ended_at)
                IS DISTINCT FROM (s.user_id, s.group_id, w.started_at, e.ended_at))
        ORDER BY w.id
    LOOP
        before := NULL;
        IF due.charge_id IS NULL THEN
            INSERT INTO hub_sessions_charge (
                session_id, user_id, group_id, started_at, ended_at, cpu_millicores, memory_mib,
                gpus, sign, origin)
            VALUES (due.number, due.user_id, due.group_id, due.started_at, due.ended_at,
                due.cpu_millicores, due.memory_mib, 0, 1, 'dask')
            RETURNING * INTO after;
            UPDATE hub_sessions_daskworker SET charge_id = after.id WHERE id = due.id;
        ELSE
            SELECT * INTO before FROM hub_sessions_charge WHERE id = due.charge_id;
            UPDATE hub_sessions_charge SET user_id = due.user_id, group_id = due.group_id,
                started_at = due.started_at, ended_at = due.ended_at
            WHERE id = due.charge_id RETURNING * INTO after;
        END IF;
        IF before.ended_at IS NOT NULL THEN
            closed := closed || before;
        END IF;
        IF after.ended_at IS NOT NULL THEN
            closed := closed || after;
        END IF;
    END LOOP;
    IF closed <> '{}' THEN
        PERFORM hub_sessions_note_days(closed);
    END IF;
END $$;
